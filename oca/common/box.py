"""The settings of a box that the daemon and the fill agent both read, from one file: who it is, where it stores."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from oca.common.addresses import ListenAddress
from oca.common.messages import Name
from oca.common.settings import Table
from oca.common.tracing_settings import TracingTable

HostName = Annotated[
    str,
    Meta(pattern=r"\A[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?\Z", extra={"form": "a host name without a port"}),
]


SteeringUrl = Annotated[
    str,
    Meta(
        pattern=r"\A(https?://[A-Za-z0-9.:\[\]_-]{1,253}(/[A-Za-z0-9._~/-]{0,200})?)?\Z",
        extra={"form": "empty, or http:// or https://, a host, its port if need be, and a path if need be"},
    ),
]


class ApplianceTable(Table, frozen=True):
    """Who this box is."""

    id: Annotated[
        Name,
        Meta(description="Name of this appliance, unique in the fleet; a DNS label.", examples=["fra1-a"]),
    ]
    site: Annotated[Name, Meta(description="The rack it stands in, as steering knows it.", examples=["fra1"])]


class ScrubTable(Table, frozen=True):
    """The scrub: re-reads what is held, in the background at the lowest priority, and takes out of service what is bad.

    The next fill brings that back.
    """

    rate_bytes_per_s: Annotated[
        int,
        Meta(
            ge=0,
            le=10**11,
            description="How fast each device is read, at most; 0: no scrub. 8 TB take three days at the default.",
            extra={"unit": "bytes per second"},
        ),
    ] = 32 * 2**20
    interval_s: Annotated[
        float,
        Meta(
            ge=0,
            le=366 * 86400,
            description="Time from the end of one pass over a device to the start of the next.",
            extra={"unit": "seconds"},
        ),
    ] = 7 * 86400.0


class StoreTable(Table, frozen=True):
    """Where assets live: one folder per device, each with packs and index of its own."""

    devices: Annotated[
        tuple[str, ...],
        Meta(min_length=1, max_length=64, description="A folder on each device, best on a mount of its own."),
    ] = ("/var/lib/oca/nvme0",)
    device_bytes_max: Annotated[
        int,
        Meta(
            ge=0,
            le=2**60,
            description="Space for assets on each device; 0: what its file system holds, less the reserve.",
            extra={"unit": "bytes"},
        ),
    ] = 0
    reserve_ratio: Annotated[
        float, Meta(ge=0, le=0.5, description="Share of the file system that assets never take.")
    ] = 0.05
    device_errors_max: Annotated[
        int,
        Meta(
            ge=1,
            le=16,
            description="A device is taken out when reads of so many of its assets have failed within an hour; at the "
            "first error of its index or of a write it is taken out at once.",
            extra={"unit": "assets"},
        ),
    ] = 3
    device_hang_s: Annotated[
        float,
        Meta(
            ge=1,
            le=3600,
            description="A device that has answered nothing for so long is taken out.",
            extra={"unit": "seconds"},
        ),
    ] = 30.0
    scrub: ScrubTable = ScrubTable()


class SteeringTable(Table, frozen=True):
    """The central service. With no url the appliance stands alone and serves what its store holds."""

    url: Annotated[SteeringUrl, Meta(description="Base URL of steering; empty: stand alone.")] = ""
    other_urls: Annotated[
        tuple[SteeringUrl, ...],
        Meta(
            max_length=16,
            description="Base URLs of further instances of the same steering; the next is tried when one is away.",
        ),
    ] = ()
    token_file: Annotated[
        str,
        Meta(
            description="File that holds this appliance's token, 16 to 4096 printable ASCII characters on one line, "
            "the same as in steering's file; empty: steering lets it in by its key (identity_file) or address alone."
        ),
    ] = ""
    identity_file: Annotated[
        str,
        Meta(
            description="File for this box's own key, made by 'oca enrol'; once it is there, token_file counts no "
            "more. Empty: no key of its own."
        ),
    ] = "/var/lib/oca/identity.json"
    report_interval_s: Annotated[
        float,
        Meta(
            ge=0.2,
            le=300,
            description="Time between reports; steering must know it too ([fleet] report_interval_s there).",
            extra={"unit": "seconds"},
        ),
    ] = 2.0
    timeout_s: Annotated[
        float,
        Meta(ge=0.1, le=120, description="How long steering may take to answer.", extra={"unit": "seconds"}),
    ] = 10.0

    @property
    def urls(self) -> tuple[str, ...]:
        """All instances, the one to begin with first; empty: none."""
        return tuple(url for url in (self.url, *self.other_urls) if url)


class AdminTable(Table, frozen=True):
    """The box's own API: health, metrics, status, drain. Never open it to viewers."""

    listen: Annotated[
        ListenAddress, Meta(description="Address and port; keep it on loopback or a management network.")
    ] = "127.0.0.1:8088"
    host_names: Annotated[
        tuple[HostName, ...],
        Meta(
            max_length=16,
            description="Names it may be called by, beside localhost and IP addresses; others are refused, so that "
            "no web page can reach it by a name of its own.",
        ),
    ] = ()


class Box(Table, frozen=True):
    """What the fill agent reads of ``appliance.toml``; the daemon's schema declares these tables and its own."""

    appliance: ApplianceTable
    store: StoreTable = StoreTable()
    steering: SteeringTable = SteeringTable()
    admin: AdminTable = AdminTable()
    tracing: TracingTable = TracingTable()
