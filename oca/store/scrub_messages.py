"""What the daemon and its scrubber say to each other, one JSON line each, and what is made of it. Pure."""

from __future__ import annotations

from typing import get_args

import msgspec
from msgspec import Struct

from oca.common.metrics import Family
from oca.store.records import FaultKind

LINE_BYTES_MAX = 2**20


class Begin(Struct, frozen=True, kw_only=True, tag="begin"):
    """Down, once: what to scrub, and how fast each device is read; devices that are ``out`` are left alone."""

    devices: tuple[str, ...]
    rate_bytes_per_s: int
    interval_s: float
    out: list[int] = []


class LeaveOut(Struct, frozen=True, kw_only=True, tag="leave-out"):
    """Down: the devices that are out now, by number."""

    out: list[int]


class Suspect(Struct, frozen=True, kw_only=True, tag="suspect"):
    """Down: a read of that asset failed; its pack is proved before all others."""

    device: int
    asset: str


class Progress(Struct, frozen=True, kw_only=True, tag="progress"):
    """Up: what has been read and proved on a device since that was last said; ``passed_at_ns`` is when its last whole
    pass ended, 0 before the first.
    """

    device: int
    read_bytes: int
    packs: int
    passed_at_ns: int


class Found(Struct, frozen=True, kw_only=True, tag="found"):
    """Up: a pack is bad; it is out of service unless there is a reason ``why_not``."""

    device: int
    asset: str
    kind: FaultKind
    what: str
    why_not: str = ""


class Trouble(Struct, frozen=True, kw_only=True, tag="trouble"):
    """Up: a device could not be looked at."""

    device: int
    said: str


Down = Begin | LeaveOut | Suspect
Up = Progress | Found | Trouble
_encode = msgspec.json.Encoder().encode
decode_down = msgspec.json.Decoder(Down).decode
decode_up = msgspec.json.Decoder(Up).decode


def line(message: Down | Up) -> bytes:
    """``message`` as it goes over the pipe."""
    return _encode(message) + b"\n"


SCRUB: tuple[Family, ...] = (
    Family(name="scrub_read_bytes", kind="counter", unit="bytes", help="Read from devices and proved by the scrub."),
    Family(name="scrub_packs", kind="counter", unit="packs", help="Packs that the scrub has proved."),
    Family(
        name="scrub_faults",
        kind="counter",
        unit="packs",
        help="Bad packs that the scrub found; each is logged. damaged: its bytes or the index are wrong; unreadable: "
        "the device fails; gone: the file is not there; index, device: see the log.",
        label="kind",
        values=get_args(FaultKind),
    ),
    Family(
        name="scrub_pass_end_seconds",
        kind="gauge",
        unit="seconds since 1970",
        help="End of the last whole pass, on the device where that is longest ago; 0 while one has had none.",
    ),
)


class ScrubTally:
    """What the scrubber has said since the daemon's start, as metrics."""

    def __init__(self) -> None:
        self._passed_at_ns: dict[int, int] = {}
        self._counts: dict[str, int] = {}

    def add(self, message: Up) -> None:
        """Take in what it says."""
        if isinstance(message, Found):
            self._count(f"scrub_faults:{message.kind}", 1)
        elif isinstance(message, Progress):
            self._count("scrub_read_bytes", message.read_bytes)
            self._count("scrub_packs", message.packs)
            self._passed_at_ns[message.device] = message.passed_at_ns

    def values(self) -> dict[str, int]:
        """The values of ``SCRUB``, by slot key."""
        oldest_ns = min(self._passed_at_ns.values(), default=0)
        return {**self._counts, "scrub_pass_end_seconds": oldest_ns // 1_000_000_000}

    def _count(self, key: str, more: int) -> None:
        self._counts[key] = self._counts.get(key, 0) + more
