"""What a request is once it has been read, the limits on it, and the names of what is refused."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from oca.common.errors import ProtocolError

Method = Literal["GET", "HEAD", "OPTIONS"]
Reason = Literal[
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
]

FILL_AGENT = b"oca-fill"
"""How the fill agent's ``User-Agent`` begins: what it fetches from a peer is no viewer's demand."""
PROBE_AGENT = b"oca-steering-probe"
"""How that of steering's probes begins, which are no viewers' demand either."""
PULL_AGENT = b"oca-pull"
"""How that of an appliance begins that brings a miss of its own; it counts the demand for it itself."""


class Limits(Struct, frozen=True, kw_only=True):
    """Bounds on one request; beyond them it is refused."""

    head_bytes_max: int = 16384
    target_bytes_max: int = 8192
    fields_max: int = 64


class Fields(Struct, frozen=True, kw_only=True, gc=False):
    """The header fields that delivery acts on; a repeated one is joined with commas (RFC 9110 §5.3).

    Attributes:
        close: The client wants the connection closed after this response (RFC 9112 §9.6).
        keep_alive: The client asked for persistence, which HTTP/1.0 needs (RFC 9112 §9.3).
        fill: No viewer's: asked by another appliance, for its fill, or for a miss of its own (which then has
            ``cdn_loop``), or by steering's probe.
        plain: Nothing here but what every answer is the same for.
        usual: Plain, and the connection stays open: a GET is answered as ever.
        host: The host and port that were asked, in lower case.
        agent: The client's User-Agent, for logs.
        referrer: The origin of the page that asked, for logs.
    """

    close: bool = False
    keep_alive: bool = False
    fill: bool = False
    plain: bool = True
    usual: bool = True
    host: bytes = b""
    agent: str = ""
    referrer: str = ""
    range: bytes | None = None
    if_range: bytes | None = None
    if_match: bytes | None = None
    if_none_match: bytes | None = None
    if_modified_since: bytes | None = None
    if_unmodified_since: bytes | None = None
    cdn_loop: bytes | None = None


class Request(Struct, frozen=True, gc=False):
    """One request. ``path`` is percent-decoded and without ``query``; ``*`` for the asterisk form."""

    method: Method
    path: bytes
    fields: Fields
    persistent: bool
    """Whether the connection may carry another request (RFC 9112 §9.3)."""
    minor: int = 1
    """HTTP/1.``minor``."""
    query: bytes = b""
    """What follows the target's first ``?``, as sent: no part of the key (CMCD and tokens ride there)."""
    cmcd: bytes = b""
    """The values of the fields ``CMCD-*``, joined by commas."""


class RequestError(ProtocolError):
    """The one error of the parser. ``reason`` is fixed text, fit for a metric's label."""

    def __init__(self, reason: Reason, message: str, *, status: int = 400) -> None:
        super().__init__(message, status=status)
        self.reason: Reason = reason
        self.to_head = False
        """Whether the request was a HEAD, as far as it could be read: its answer has no body."""
