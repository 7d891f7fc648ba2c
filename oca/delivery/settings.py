"""Settings of the delivery path, one table."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, structs

from oca.common.addresses import ListenAddress
from oca.common.messages import BaseUrl
from oca.common.settings import Table
from oca.delivery.access_log_settings import AccessLogTable
from oca.delivery.authorisation_settings import AuthorisationTable
from oca.delivery.miss_settings import MissTable, OverloadTable
from oca.delivery.pacing_settings import CmcdTable, CmsdTable, PacingTable
from oca.delivery.reads_settings import ReadsTable
from oca.delivery.tls_settings import TlsTable


class DeliveryTable(Table, frozen=True):
    """How viewers are served: addresses, workers and limits on every connection."""

    listen: Annotated[
        tuple[ListenAddress, ...],
        Meta(
            max_length=8,
            description='Addresses and ports to serve plain HTTP on, such as "192.0.2.1:80" or "[2001:db8::1]:80".',
        ),
    ] = ("0.0.0.0:8080",)
    urls: Annotated[
        tuple[BaseUrl, ...],
        Meta(
            max_length=8,
            description="Base URLs that viewers reach this box by, as told to steering; none: made from listen.",
        ),
    ] = ()
    workers: Annotated[int, Meta(ge=0, le=256, description="Worker processes; 0: one a core.")] = 0
    pin_workers: Annotated[
        bool,
        Meta(
            description="Whether each worker stays on one core of those that the daemon may use (CPUAffinity=); for a "
            "box that does nothing else and whose network queues are pinned alike."
        ),
    ] = False
    connections_max: Annotated[
        int,
        Meta(
            ge=1,
            le=1_000_000,
            description="Connections per worker, fewer where LimitNOFILE is too low (the log says so). For any beyond, "
            "one whose client keeps it waiting ends; where there is none they are reset at once, so that players go "
            "elsewhere.",
            extra={"unit": "connections"},
        ),
    ] = 20_000
    connections_per_client_max: Annotated[
        int,
        Meta(
            ge=1,
            le=1_000_000,
            description="Connections per worker and client: an IPv4 address, or an IPv6 /64. Those beyond are reset at "
            "once. Behind carrier NAT a whole street shares an address; raise it if its viewers are refused.",
            extra={"unit": "connections"},
        ),
    ] = 1000
    requests_per_connection_max: Annotated[
        int,
        Meta(
            ge=1,
            le=1_000_000_000,
            description="Requests on one connection; the last answer says Connection: close, and the player opens "
            "another, which may come to a worker with less to do.",
            extra={"unit": "requests"},
        ),
    ] = 10_000
    pipelined_max: Annotated[
        int,
        Meta(
            ge=1,
            le=1000,
            description="Requests that may wait behind the one being answered; with more, nothing is read from the "
            "client until they are answered.",
            extra={"unit": "requests"},
        ),
    ] = 64
    idle_timeout_s: Annotated[
        float,
        Meta(
            ge=0.05,
            le=3600,
            description="How long a connection may rest between requests; players refill every few seconds.",
            extra={"unit": "seconds"},
        ),
    ] = 75.0
    head_timeout_s: Annotated[
        float,
        Meta(
            ge=0.05,
            le=600,
            description="How long the head of a request may take from its first byte, and a connection to begin one.",
            extra={"unit": "seconds"},
        ),
    ] = 15.0
    stalled_timeout_s: Annotated[
        float,
        Meta(
            ge=0.05,
            le=3600,
            description="How long a client may take nothing of a response before it is cut off.",
            extra={"unit": "seconds"},
        ),
    ] = 30.0
    client_rate_bytes_per_s_min: Annotated[
        int,
        Meta(
            ge=0,
            le=100_000_000,
            description="Slowest that a client may take a response, on average over client_rate_window_s, before it is "
            "cut off; what counts is what it acknowledged, not what lies in the socket's buffer. 0: no such limit.",
            extra={"unit": "bytes per second"},
        ),
    ] = 2000
    client_rate_window_s: Annotated[
        float,
        Meta(
            ge=0.05,
            le=3600,
            description="Over how long the rate of a client is averaged.",
            extra={"unit": "seconds"},
        ),
    ] = 30.0
    head_bytes_max: Annotated[
        int,
        Meta(ge=1024, le=65536, description="Largest request head, request line included.", extra={"unit": "bytes"}),
    ] = 16384
    target_bytes_max: Annotated[
        int, Meta(ge=512, le=32768, description="Longest request target, query included.", extra={"unit": "bytes"})
    ] = 8192
    fields_max: Annotated[
        int, Meta(ge=8, le=1000, description="Most header fields in a request.", extra={"unit": "fields"})
    ] = 64
    ranges_max: Annotated[
        int,
        Meta(
            ge=1,
            le=256,
            description="Most ranges of one request that are answered apart (multipart/byteranges); with more, or when "
            "they ask for more than all there is, the whole object is sent. Players ask for one.",
            extra={"unit": "ranges"},
        ),
    ] = 16
    authorisation: AuthorisationTable = AuthorisationTable()
    drain_s: Annotated[
        float,
        Meta(
            ge=0,
            le=86400,
            description="How long responses being sent may take to finish when the daemon stops.",
            extra={"unit": "seconds"},
        ),
    ] = 30.0
    reads: ReadsTable = ReadsTable()
    pacing: PacingTable = PacingTable()
    cmcd: CmcdTable = CmcdTable()
    cmsd: CmsdTable = CmsdTable()
    miss: MissTable = MissTable()
    overload: OverloadTable = OverloadTable()
    access_log: AccessLogTable = AccessLogTable()
    tls: TlsTable = TlsTable()

    def __post_init__(self) -> None:
        """Refuse what each table allows but not together; the remedy follows the last semicolon."""
        if not self.addresses:
            raise ValueError("listen and tls.listen are both empty; name an address to serve on")
        if self.overload.answer == "redirect" and not self.miss.fallback_url:
            raise ValueError("overload.answer redirect has nowhere to redirect to; set miss.fallback_url")
        slowest = 125_000 * min(self.pacing.floor_mbits_per_s, self.pacing.default_mbits_per_s)
        if self.pacing.mode != "off" and slowest < 2 * self.client_rate_bytes_per_s_min:
            raise ValueError(
                f"pacing holds clients to {slowest:.0f} bytes per second, and client_rate_bytes_per_s_min = "
                f"{self.client_rate_bytes_per_s_min} would cut them off; keep it below half the slowest pace"
            )

    @property
    def addresses(self) -> tuple[str, ...]:
        """Every address to listen on: the plain ones, then those that speak TLS."""
        return self.listen + self.tls.listen


def for_workers(settings: DeliveryTable) -> DeliveryTable:
    """What a worker is started with; the rest is the supervisor's alone."""
    return structs.replace(settings, urls=(), drain_s=0)
