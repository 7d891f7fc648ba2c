"""What delivery counts, declared once: names, units, meanings. The counting itself is in ``counters``."""

from __future__ import annotations

from typing import get_args

from oca.common.metrics import Family, slots
from oca.common.signing_reasons import REASONS
from oca.delivery.connection_metrics import CONNECTIONS
from oca.delivery.origin_head import FAULTS
from oca.delivery.reads_metrics import READS
from oca.delivery.tls_metrics import TLS
from oca.http1.request import Method, Reason

REFUSAL_REASONS: tuple[str, ...] = get_args(Reason)
"""Why a request is refused before it is looked up."""

CONGESTIONS = ("bbr", "cubic", "reno", "other")
"""Congestion controls told apart."""

QUALITY_MBITS = (1, 2.5, 5, 10, 25, 50, 100)
"""Bands that players' measured throughput is counted in."""

STATUSES = (200, 204, 206, 302, 304, 307, 400, 403, 404, 405, 408, 412, 414, 416, 417, 429, 431, 501, 505)
FIRST_BYTE_S = (0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
TRANSFER_S = (0.00025, 0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0)
LAG_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)


DELIVERY: tuple[Family, ...] = (
    *CONNECTIONS,
    Family(name="delivery_sends", kind="gauge", unit="responses", help="Responses on their way now."),
    Family(
        name="delivery_responses",
        kind="counter",
        unit="responses",
        help="Responses begun, by status.",
        label="status",
        values=tuple(str(status) for status in STATUSES),
    ),
    Family(
        name="delivery_requests",
        kind="counter",
        unit="requests",
        help="Requests answered, by method; those that break HTTP or a limit are under refusals.",
        label="method",
        values=get_args(Method),
    ),
    Family(
        name="delivery_first_byte_seconds",
        kind="histogram",
        unit="seconds",
        help="From taking up a request to its first byte in the kernel's hands; waits for the device show here. Of a "
        "response that needed no wait, to its last.",
        bounds=FIRST_BYTE_S,
    ),
    Family(
        name="delivery_transfer_seconds",
        kind="histogram",
        unit="seconds",
        help="From taking up a request to its last byte in the kernel's hands; mostly the client's own rate. Responses "
        "that were cut are not in it.",
        bounds=TRANSFER_S,
    ),
    Family(
        name="delivery_lag_seconds",
        kind="histogram",
        unit="seconds",
        help="How late the worker came to a timer, looked at 40 times a second: so long its sockets waited, too. A "
        "worker that is too busy, or one that something blocks, shows here.",
        bounds=LAG_S,
    ),
    Family(
        name="delivery_refusals",
        kind="counter",
        unit="requests",
        help="Requests that break HTTP or a limit, by reason; answered and the connection closed.",
        label="reason",
        values=REFUSAL_REASONS,
    ),
    Family(
        name="delivery_authorisation_refusals",
        kind="counter",
        unit="requests",
        help="Requests answered 403, or 429 for too-many, because no token grants them, by reason; docs/signing.md "
        "says what each means.",
        label="reason",
        values=REASONS,
    ),
    Family(
        name="delivery_tokens_checked",
        kind="counter",
        unit="tokens",
        help="Tokens whose signature was checked: each once per worker, unless forgotten since.",
    ),
    Family(
        name="delivery_misses",
        kind="counter",
        unit="requests",
        help="Requests for objects that could not be served from the store: not held (content), held but their device "
        "or pack fails (health), or not this viewer's to have (authorisation).",
        label="class",
        values=("content", "health", "authorisation"),
    ),
    Family(
        name="delivery_pulls",
        kind="counter",
        unit="objects",
        help="Objects asked of the origin for viewers ([delivery.miss] policy fetch).",
    ),
    Family(name="delivery_pulls_running", kind="gauge", unit="objects", help="Objects on their way here now."),
    Family(name="delivery_pulled_bytes", kind="counter", unit="bytes", help="Bytes of them that came from the origin."),
    Family(
        name="delivery_pull_outcomes",
        kind="counter",
        unit="objects",
        help="How looking for a missed object ended: here (kept since an earlier miss), stored, not-stored (sent on "
        "alone, or brought by another worker), cancelled (the worker ended), or why the origin did not bring it; "
        "docs/misses.md says what each means.",
        label="outcome",
        values=("here", "stored", "not-stored", "cancelled", *FAULTS),
    ),
    Family(
        name="delivery_pulls_refused",
        kind="counter",
        unit="requests",
        help="Misses for which the origin was not even asked: too much is under way (busy), too many wait (crowded), "
        "it lacked the object or failed just now (known-absent), or the request came through here before (loop).",
        label="reason",
        values=("busy", "crowded", "known-absent", "loop"),
    ),
    Family(
        name="delivery_turned_away",
        kind="counter",
        unit="requests",
        help="Requests of viewers whom the box did not take: too much is on its way already, or an operator drained "
        "it; see [delivery.overload] and [drain].",
        label="cause",
        values=("overload", "drained"),
    ),
    Family(
        name="delivery_redirects",
        kind="counter",
        unit="requests",
        help="Requests of viewers who were sent on to [delivery.miss] fallback_url, by cause: as misses are classed "
        "(content, health), or turned away (overload, drained).",
        label="cause",
        values=("content", "health", "overload", "drained"),
    ),
    Family(
        name="delivery_fill_requests",
        kind="counter",
        unit="requests",
        help="Responses to other appliances' fills and pulls, which count as no demand of viewers.",
    ),
    Family(
        name="delivery_fill_sent_bytes",
        kind="counter",
        unit="bytes",
        help="Bytes of these, in delivery_sent_bytes too.",
    ),
    Family(name="delivery_sent_bytes", kind="counter", unit="bytes", help="Bytes of bodies handed to the network."),
    Family(name="delivery_sendfile_calls", kind="counter", unit="calls", help="Calls of sendfile that moved bytes."),
    Family(
        name="delivery_sendfile_bytes",
        kind="counter",
        unit="bytes",
        help="Bytes of bodies that left by sendfile in the clear; kernel TLS: see delivery_tls_sent_bytes.",
    ),
    Family(
        name="delivery_small_sent_bytes",
        kind="counter",
        unit="bytes",
        help="Bytes of small bodies that left in the clear with their head, from the worker's memory.",
    ),
    *TLS,
    Family(
        name="delivery_sends_blocked",
        kind="counter",
        unit="waits",
        help="Waits for a client to take more; many per response mean slow clients or small socket buffers.",
    ),
    Family(
        name="delivery_sends_cut",
        kind="counter",
        unit="responses",
        help="Responses that ended before their last byte, by whose doing; stalled and slow: the client took nothing "
        "for delivery.stalled_timeout_s, or less than delivery.client_rate_bytes_per_s_min; hang: the device did not "
        "answer for delivery.reads.timeout_s.",
        label="cause",
        values=("client", "stalled", "slow", "device", "pack", "hang", "drain", "origin"),
    ),
    *READS,
    Family(
        name="delivery_time_outs",
        kind="counter",
        unit="connections",
        help="Connections ended for silence: idle between requests, or amid a request's head.",
        label="state",
        values=("idle", "head"),
    ),
    Family(
        name="delivery_accept_pauses",
        kind="counter",
        unit="pauses",
        help="Pauses in accepting because memory ran out, or descriptors to the last spare one; see the log.",
    ),
    Family(
        name="delivery_memory_pauses",
        kind="counter",
        unit="pauses",
        help="Pauses in reading from or sending to a client because the kernel was short of memory for sockets; "
        "see net.ipv4.tcp_mem.",
    ),
    Family(
        name="delivery_index_reads",
        kind="counter",
        unit="look-ups",
        help="Look-ups that went to the index because the worker had no finished one at hand.",
    ),
    Family(
        name="delivery_index_errors",
        kind="counter",
        unit="look-ups",
        help="Look-ups that failed because a device or its index could not be read; answered as a miss.",
    ),
    Family(
        name="delivery_cmcd",
        kind="counter",
        unit="requests",
        help="Requests in which a player told of itself (CMCD), by whether that could be read; counted where pacing or "
        "anything else makes use of it.",
        label="outcome",
        values=("read", "malformed"),
    ),
    Family(
        name="delivery_paced_connections",
        kind="gauge",
        unit="connections",
        help="Connections that send no faster than a pace set for them (delivery.pacing).",
    ),
    Family(
        name="delivery_pace_changes",
        kind="counter",
        unit="changes",
        help="Times a connection's pace was set; a system call each, so far fewer than requests is well.",
    ),
    Family(
        name="delivery_advised_bytes_per_second",
        kind="gauge",
        unit="bytes per second",
        factor=125,
        help="Bitrate that players are told to stay below because links or CPU are short (delivery.cmsd); 0: none.",
    ),
    Family(
        name="delivery_listeners",
        kind="gauge",
        unit="sockets",
        help="Sockets that workers listen on, by the congestion control that connections get; see "
        "delivery.pacing.congestion.",
        label="congestion",
        values=CONGESTIONS,
    ),
    Family(
        name="delivery_quality_reports",
        kind="counter",
        unit="requests",
        help="Requests for media in which a player told how it fares; 'oca quality' shows where (delivery.cmcd).",
    ),
    Family(
        name="delivery_quality_starved",
        kind="counter",
        unit="requests",
        help="Of those, requests that told of a buffer run empty: viewers saw the picture stop.",
    ),
    Family(
        name="delivery_quality_throughput",
        kind="counter",
        unit="requests",
        help="Of those, requests by the throughput their player measured: below so many Mbit/s, or more.",
        label="mbits",
        values=(*(f"{limit:g}" for limit in QUALITY_MBITS), "more"),
    ),
    Family(name="delivery_log_lines", kind="counter", unit="lines", help="Lines that went into the access log."),
    Family(
        name="delivery_log_lines_lost",
        kind="counter",
        unit="lines",
        help="Lines of the access log that were lost because its disk is full, fails or is too slow; the log says why.",
    ),
)

DELIVERY_SLOTS = slots(DELIVERY)
"""Place of each count in a worker's page."""


def labelled(name: str) -> dict[str, int]:
    """Place of each count of a family that has a label, by the label's value.

    Raises:
        KeyError: There is no such family.
    """
    families = {family.name: family for family in DELIVERY}
    return {value: DELIVERY_SLOTS[f"{name}:{value}"] for value in families[name].values}
