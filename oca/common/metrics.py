"""What delivery counts: declared once here, kept in a shared page per worker, shown by one Prometheus collector.

A worker adds plain integers to its page, an anonymous memory file that the supervisor made and can read at any
time, also after the worker died. A replacement goes on in the same page, so counters never step back.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Literal, Self

from msgspec import Struct
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

Kind = Literal["counter", "gauge"]
_SLOT_BYTES = 8


class Family(Struct, frozen=True, kw_only=True):
    """One metric: its name as scraped, its meaning for whoever is paged, and the values of its label if it has one.

    Attributes:
        name: Prometheus name without the ``oca_`` prefix and the ``_total`` suffix.
        unit: What one count is.
        label: Name of the label; empty for a single value.
        values: Every value the label can take; fixed, so that no client can add series.
    """

    name: str
    kind: Kind
    unit: str
    help: str
    label: str = ""
    values: tuple[str, ...] = ()

    def keys(self) -> tuple[str, ...]:
        """The keys of its slots: ``name``, or ``name:value`` for each value of the label."""
        return tuple(f"{self.name}:{value}" for value in self.values) if self.label else (self.name,)


REFUSAL_REASONS = (
    "request-line",
    "target",
    "target-too-long",
    "head-too-large",
    "too-many-fields",
    "field",
    "line-ending",
    "folded-field",
    "nul",
    "host-missing",
    "host-repeated",
    "host",
    "content",
    "content-length",
    "length-and-transfer-encoding",
    "expectation",
    "method-not-allowed",
    "method-unknown",
    "version",
    "head-time-out",
)
"""Why a request is refused before it is looked up; the names that ``oca.http1`` gives."""

STATUSES = (200, 204, 206, 304, 400, 404, 405, 408, 412, 414, 416, 417, 431, 501, 505)

DELIVERY: tuple[Family, ...] = (
    Family(
        name="delivery_connections_accepted",
        kind="counter",
        unit="connections",
        help="Connections taken from viewers and peers.",
    ),
    Family(name="delivery_connections", kind="gauge", unit="connections", help="Connections open now."),
    Family(
        name="delivery_connections_refused",
        kind="counter",
        unit="connections",
        help="Connections reset at once because delivery.connections_max was reached or no descriptor was left; "
        "raise it or LimitNOFILE, or add appliances.",
    ),
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
        name="delivery_refusals",
        kind="counter",
        unit="requests",
        help="Requests that break HTTP or a limit, by reason; answered and the connection closed.",
        label="reason",
        values=REFUSAL_REASONS,
    ),
    Family(name="delivery_sent_bytes", kind="counter", unit="bytes", help="Bytes of bodies handed to the network."),
    Family(name="delivery_sendfile_calls", kind="counter", unit="calls", help="Calls of sendfile that moved bytes."),
    Family(
        name="delivery_sendfile_bytes",
        kind="counter",
        unit="bytes",
        help="Bytes of bodies that left by sendfile, never copied through the worker.",
    ),
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
        help="Responses that ended before their last byte, by whose doing.",
        label="cause",
        values=("client", "stalled", "device", "pack", "drain"),
    ),
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
)


def slots(families: Iterable[Family]) -> dict[str, int]:
    """Key of every slot → its place in the page."""
    keys = [key for family in families for key in family.keys()]  # noqa: SIM118 - a Family is no mapping
    return {key: place for place, key in enumerate(keys)}


DELIVERY_SLOTS = slots(DELIVERY)


class Page:
    """One worker's counters: unsigned 64-bit slots in a memory file that two processes map."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._map = mmap.mmap(descriptor, len(DELIVERY_SLOTS) * _SLOT_BYTES)
        self.counts = memoryview(self._map).cast("Q")
        """The slots, for ``counts[DELIVERY_SLOTS[key]] += n``; only the one worker writes."""

    @classmethod
    def create(cls) -> Self:
        """A zeroed page; pass ``descriptor`` down to the worker."""
        descriptor = os.memfd_create("oca-counters", os.MFD_CLOEXEC)
        os.ftruncate(descriptor, len(DELIVERY_SLOTS) * _SLOT_BYTES)
        return cls(descriptor)

    def reset_gauges(self) -> None:
        """Zero what a dead predecessor had open."""
        for family in DELIVERY:
            if family.kind == "gauge":
                for key in family.keys():  # noqa: SIM118
                    self.counts[DELIVERY_SLOTS[key]] = 0

    def close(self) -> None:
        """Unmap and close; the counters are gone when the last holder does."""
        self.counts.release()
        self._map.close()
        os.close(self.descriptor)


def total(pages: Iterable[Page]) -> dict[str, int]:
    """Every slot summed over ``pages``."""
    sums = [0] * len(DELIVERY_SLOTS)
    for page in pages:
        sums = [left + right for left, right in zip(sums, page.counts, strict=True)]
    return dict(zip(DELIVERY_SLOTS, sums, strict=True))


class FamilyCollector(Collector):
    """Shows ``read()``, a mapping of slot keys to values, under the declared names and meanings."""

    def __init__(self, families: Iterable[Family], read: Callable[[], Mapping[str, int]]) -> None:
        self._families = tuple(families)
        self._read = read

    def collect(self) -> Iterator[Metric]:
        """One Prometheus metric per family."""
        values = self._read()
        for family in self._families:
            kind = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
            metric = kind(f"oca_{family.name}", family.help, labels=[family.label] if family.label else [])
            for key in family.keys():  # noqa: SIM118
                label = [key.partition(":")[2]] if family.label else []
                metric.add_metric(label, float(values.get(key, 0)))
            yield metric
