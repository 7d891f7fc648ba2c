"""What supervisor and worker say to each other: one JSON line each over a socket pair."""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import Struct

from oca.common.demand import Wanted
from oca.common.log import LogFormat, LogLevel
from oca.common.quality import Quality
from oca.delivery.authorisation import Authorisation
from oca.delivery.cmsd import Advice
from oca.delivery.miss_settings import Turn
from oca.delivery.settings import DeliveryTable
from oca.delivery.tls_material import Material

LINE_BYTES_MAX = 64 * 2**20


class Salt(Struct, frozen=True, kw_only=True, tag="salt"):
    """Down: the key of the marks of sessions (``delivery.sessions``), and the hour since 1970 that it is for."""

    salt: bytes = b""
    hour: int = 0


class Start(Struct, frozen=True, kw_only=True, tag="start"):
    """Down, once: everything a worker needs. Descriptors are inherited."""

    worker: int
    appliance: str
    settings: DeliveryTable
    packs_max: int
    devices: tuple[str, ...]
    listeners: tuple[int, ...]
    page: int
    siblings: tuple[int, ...] = ()
    """Other workers' listeners, to accept from when told so (``Cover``)."""
    authorisation: Authorisation = Authorisation()
    log_level: LogLevel = "info"
    log_format: LogFormat = "auto"
    secure: int = 0
    """How many of the listeners, the last ones, speak TLS."""
    tls: Material = Material()
    out: dict[int, bool] = {}
    """As in ``LeaveOut``."""
    salt: Salt = Salt()


class Reload(Struct, frozen=True, kw_only=True, tag="reload"):
    """Down: read anew the files that the settings name, open the logs anew; answered by ``Reloaded``.

    Changed settings come by a new worker instead (``Supervisor.hand_over``), so that no feature has to take them live.
    """

    log_level: LogLevel
    log_format: LogFormat


class ReloadTls(Struct, frozen=True, kw_only=True, tag="reload-tls"):
    """Down: other certificates for new connections; where ``tls`` names none, other ticket keys alone."""

    tls: Material


class Drain(Struct, frozen=True, kw_only=True, tag="drain"):
    """Down: stop accepting, finish what is being sent, exit by the deadline.

    ``gently``: a successor has taken over, so idle connections need not end now: each is told to close in its next
    answer, for a client that sends a request the moment its connection closes has lost it.
    """

    deadline_s: float
    gently: bool = False


class Authorise(Struct, frozen=True, kw_only=True, tag="authorise"):
    """Down: keys and policy of signed URLs have changed."""

    authorisation: Authorisation


class LeaveOut(Struct, frozen=True, kw_only=True, tag="leave-out"):
    """Down: the devices that are out, by number; True: what no other has may still be sent from there."""

    out: dict[int, bool]


class TurnAway(Struct, frozen=True, kw_only=True, tag="turn-away"):
    """Down: answer so instead of serving; on connections that begin from here on, or on ``everyone``'s."""

    cause: Literal["overload", "drained"]
    answer: Turn
    everyone: bool


class Cover(Struct, frozen=True, kw_only=True, tag="cover"):
    """Down: these sockets are of workers that do not run now; accept from them, and from no other but your own."""

    plain: tuple[int, ...] = ()
    secure: tuple[int, ...] = ()


class Welcome(Struct, frozen=True, kw_only=True, tag="welcome"):
    """Down: turn nobody away any more."""


class Ready(Struct, frozen=True, kw_only=True, tag="ready"):
    """Up, once: the worker accepts connections; ``loop`` is the event loop it runs on."""

    loop: str


class Closed(Struct, frozen=True, kw_only=True, tag="closed"):
    """Up, once: the worker drains, and accepts no more connections."""


class Reloaded(Struct, frozen=True, kw_only=True, tag="reloaded"):
    """Up: a ``Reload`` is done; ``faults`` tells what could not be read and goes on as it was."""

    faults: list[str]


class Tick(Struct, frozen=True, kw_only=True, tag="tick"):
    """Up, each second: a sign of life; since the last one, the demand as (asset, requests, bytes) and the quality;
    the numbers of the devices that do not answer reads now; and reads that failed, as (device, asset, why).

    ``met`` has marks of sessions by asset, made by the salt of ``hour``; ``wanted`` by path what was asked of objects
    that are not held, beside ``dropped`` requests for want of room.
    """

    demand: list[tuple[str, int, int]]
    quality: list[Quality] = []
    sick: list[int] = []
    failed: list[tuple[int, str, str]] = []
    hour: int = 0
    met: list[tuple[str, list[int]]] = []
    wanted: dict[str, Wanted] = {}
    dropped: int = 0


_encode = msgspec.json.Encoder().encode
Down = Start | Advice | Authorise | Cover | LeaveOut | Reload | ReloadTls | Salt | TurnAway | Welcome | Drain
Up = Ready | Closed | Reloaded | Tick
decode_down = msgspec.json.Decoder(Down).decode
decode_up = msgspec.json.Decoder(Up).decode


def line(message: Down | Up) -> bytes:
    """``message`` as it goes over the socket pair."""
    return _encode(message) + b"\n"
