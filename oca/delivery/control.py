"""What supervisor and worker say to each other: one JSON line each over a socket pair."""

from __future__ import annotations

import msgspec

from oca.common.log import LogFormat, LogLevel
from oca.common.quality import Quality
from oca.delivery.cmsd import Advice
from oca.delivery.settings import DeliveryTable

LINE_BYTES_MAX = 64 * 2**20


class Start(msgspec.Struct, frozen=True, kw_only=True, tag="start"):
    """Down, once: everything a worker needs. Descriptors are inherited."""

    worker: int
    appliance: str
    settings: DeliveryTable
    packs_max: int
    devices: tuple[str, ...]
    listeners: tuple[int, ...]
    page: int
    log_level: LogLevel = "info"
    log_format: LogFormat = "auto"


class Drain(msgspec.Struct, frozen=True, kw_only=True, tag="drain"):
    """Down: stop accepting, finish what is being sent, exit by the deadline."""

    deadline_s: float


class Ready(msgspec.Struct, frozen=True, kw_only=True, tag="ready"):
    """Up, once: the worker accepts connections; ``loop`` is the event loop it runs on."""

    loop: str


class Tick(msgspec.Struct, frozen=True, kw_only=True, tag="tick"):
    """Up, each second: a sign of life; since the last one, the demand as (asset, requests, bytes) and the quality."""

    demand: list[tuple[str, int, int]]
    quality: list[Quality] = []


_encode = msgspec.json.Encoder().encode
decode_down = msgspec.json.Decoder(Start | Advice | Drain).decode
decode_up = msgspec.json.Decoder(Ready | Tick).decode


def line(message: Start | Advice | Drain | Ready | Tick) -> bytes:
    """``message`` as it goes over the socket pair."""
    return _encode(message) + b"\n"
