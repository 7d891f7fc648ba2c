"""Reads what BIRD 2 writes on its control socket: routes with their attributes, sessions and what passed them. Pure.

A reply is lines of a code, ``-`` or a space, and text; a space alone stands for the code before. Routes that share
their attributes are told by equal bytes, so each set of attributes is parsed once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from oca.common.errors import OcaError
from oca.common.prefix import TEXT_CHARACTERS_MAX
from oca.common.routes import Origin, PathAttributes, route_digest

_ROUTE = b"\n1007-"
_END = re.compile(rb"\n(?:0\d{3}|[89]\d{3}) [^\n]*\n\Z")
_FAULT = re.compile(rb"\n([89]\d{3}) ([^\n]*)\n\Z")
_LINE = re.compile(r"^(?:\d{4}-|[ ])\t?([\w.]+):[ ]?(.*)$", re.MULTILINE)
_COMMUNITY = re.compile(r"\(([^)]*)\)")
_PROTOCOL = re.compile(r"(?:\A|\n)(?:1002-|[ ])(\S+)[ ]+BGP[ ]+\S+[ ]+\S+[ ]+(.*?)[ ]{2,}(.*?)(?=\n)")
_IMPORTS = re.compile(r"Import (?:updates|withdraws):.*?(\d+)[ ]*$", re.MULTILINE)
_NEIGHBOUR = re.compile(r"Neighbor AS:[ ]*(\d+)")
_ORIGINS: Mapping[str, Origin] = {"IGP": "IGP", "EGP": "EGP", "Incomplete": "Incomplete"}
PENDING_BYTES_MAX = 16 * 2**20
TAIL_BYTES = 400
"""BIRD's last line is shorter."""
_PATH_CHARACTERS_MAX = 2000
_COMMUNITIES_CHARACTERS_MAX = 4000


class HeardRoute:
    """What all prefixes with equal attributes from one session share; compared by identity."""

    __slots__ = ("attributes", "digest_of", "session")

    def __init__(self, session: str, attributes: PathAttributes) -> None:
        self.session = session
        self.attributes = attributes
        self.digest_of = route_digest(attributes)


RouteTable = dict[str, HeardRoute]
"""Prefix → what is heard of it."""


class Session(NamedTuple):
    """One BGP session. ``since`` and ``changes`` move with every restart and every change of what is imported."""

    name: str
    established: bool
    state: str
    since: str
    neighbour_as: str
    changes: tuple[int, ...]


class RouteReply:
    """One reply to ``show route … all primary``, as its bytes arrive."""

    def __init__(self, known: Mapping[bytes, HeardRoute], *, routes_max: int) -> None:
        """Begin; ``known`` are the routes of the last reading, so that what has not changed is the same object."""
        self._known = known
        self._routes_max = routes_max
        self._rest = b"\n"
        self.seen: dict[bytes, HeardRoute] = {}
        self.table: RouteTable = {}

    def feed(self, data: bytes) -> bool:
        """Take bytes in; true when the reply is at its end.

        Raises:
            OcaError: BIRD refuses, what comes is no reply of BIRD, or it has too many routes.
        """
        *pieces, self._rest = (self._rest + data).split(_ROUTE)
        for piece in pieces:
            self._piece(piece)
        if len(self._rest) > PENDING_BYTES_MAX:
            raise OcaError("what answers is not BIRD 2: a line has no end", remedy="check [routes] bird_socket")
        at_end = _END.search(self._rest[-TAIL_BYTES:]) is not None
        if at_end:
            refuse_fault(self._rest)
            self._piece(_END.sub(b"\n", self._rest))
            self._rest = b""
        if len(self.table) > self._routes_max:
            raise OcaError(
                f"BIRD has more than {self._routes_max} routes",
                remedy="have the import filter in bird.conf take fewer, or raise [routes] routes_max",
            )
        return at_end

    def _piece(self, piece: bytes) -> None:
        if piece.startswith(b"Table "):
            piece = piece.partition(b"\n")[2].lstrip()
        prefix, _, rest = piece.partition(b" ")
        start = rest.find(b"\n1012-")
        if b"/" not in prefix or start < 0 or len(prefix) > TEXT_CHARACTERS_MAX:
            return
        session = rest[rest.find(b"[") + 1 :].split(b" ", 1)[0]
        key = session + rest[start:]
        route = self.seen.get(key)
        if route is None:
            route = self._known.get(key) or HeardRoute(
                session.decode("ascii", "replace"), read_attributes(rest[start:])
            )
            self.seen[key] = route
        self.table[prefix.decode("ascii", "replace")] = route


def refuse_fault(reply: bytes) -> None:
    """Raise what BIRD's reply says is wrong.

    Raises:
        OcaError: If anything is.
    """
    found = _FAULT.search(reply)
    if found is not None:
        text = found[2].decode("utf-8", "replace")
        remedy = "check [routes] tables against bird.conf" if found[1].startswith(b"9") else "see BIRD's log"
        raise OcaError(f"BIRD answered {found[1].decode()} {text}", remedy=remedy)


def at_end(reply: bytes) -> bool:
    """Whether a reply that ends in these bytes is whole."""
    return _END.search(b"\n" + reply) is not None


def read_attributes(block: bytes) -> PathAttributes:
    """The attributes in the lines after a route."""
    found = {name: value.strip() for name, value in _LINE.findall(block.decode("utf-8", "replace"))}
    communities = " ".join(found.get(f"BGP.{kind}", "") for kind in ("community", "ext_community", "large_community"))
    said = (":".join(part.strip() for part in one.split(",")) for one in _COMMUNITY.findall(communities))
    return PathAttributes(
        as_path=found.get("BGP.as_path", "")[:_PATH_CHARACTERS_MAX],
        local_pref=_number(found.get("BGP.local_pref", "100")),
        origin=_ORIGINS.get(found.get("BGP.origin", ""), "Incomplete"),
        med=_number(found.get("BGP.med", "0")),
        next_hop=found.get("BGP.next_hop", "")[:100],
        communities=" ".join(said)[:_COMMUNITIES_CHARACTERS_MAX],
    )


def read_sessions(reply: bytes) -> list[Session]:
    """The BGP sessions in a reply to ``show protocols all``."""
    text = reply.decode("utf-8", "replace")
    heads = list(_PROTOCOL.finditer(text))
    ends = [head.start() for head in heads[1:]] + [len(text)]
    sessions = []
    for head, end in zip(heads, ends, strict=False):
        said = text[head.end() : end]
        state = head[3].strip()
        neighbour = _NEIGHBOUR.search(said)
        sessions.append(
            Session(
                name=head[1],
                established=state.startswith("Established"),
                state=state,
                since=head[2].strip(),
                neighbour_as=neighbour[1] if neighbour is not None else "",
                changes=tuple(int(count) for count in _IMPORTS.findall(said)),
            )
        )
    return sessions


def _number(text: str) -> int:
    """A number of 32 bits; what is none counts as 0."""
    return min(int(text), 2**32 - 1) if text.isascii() and text.isdigit() else 0
