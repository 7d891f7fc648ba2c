"""Where a token stands in a URL, and the URL without it.

Three places: an element of the path, ``/t/TOKEN/rest``, that relative URLs of a playlist inherit; a path parameter,
``/a;NAME=TOKEN/rest``, and a query parameter, ``?NAME=TOKEN``, the two styles of RFC 9246 §2. Pure.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple
from urllib.parse import urlsplit

PACKAGE_ATTRIBUTE = "URISigningPackage"
"""RFC 9246 §4.4: the name of the parameter by default."""
PATH_ELEMENT = "t"


class Placed(NamedTuple):
    """A URL taken apart; ``token`` is empty where there is none."""

    token: bytes
    path: bytes
    query: bytes
    fault: Literal["", "malformed", "repeated"] = ""


class TokenPlaces:
    """Finds tokens in the places that two names give."""

    def __init__(self, path_element: str = PATH_ELEMENT, package_attribute: str = PACKAGE_ATTRIBUTE) -> None:
        self.element = b"/%b/" % path_element.encode()
        """What a path begins with that holds a token as an element."""
        self.attribute = package_attribute.encode()
        name = re.escape(self.attribute)
        # Each reads a URL once, however many tokens are in it; the literal that each begins with is looked for fast.
        self._elements = re.compile(rb"(?:%b[^/]*)+" % re.escape(self.element))
        self._parameter = re.compile(rb";%b=([A-Za-z0-9._~-]*)" % name)
        self._pair = re.compile(rb"%b(?<![^&]%b)(?:=([^&]*))?(?:&|\Z)" % (name, name))

    def take(self, path: bytes, query: bytes) -> Placed:
        """``path`` (decoded) and ``query`` without the token. What is left never holds one, whatever the fault."""
        tokens: list[bytes] = []
        fault: Literal["", "malformed"] = ""
        if b";" in path:
            path = self._take_parameters(path, tokens)
        run = self._elements.match(path)
        if run is not None:
            tokens += run[0].split(self.element)[1:]
            path = path[run.end() :] or b"/"
            fault = "malformed" if run.end() == len(run.string) else ""
        if self.attribute in query:
            query = self._take_pairs(query, tokens)
        if len(tokens) > 1:
            return Placed(b"", path, query, "repeated")
        return Placed(tokens[0] if tokens else b"", path, query, fault)

    def _take_parameters(self, path: bytes, tokens: list[bytes]) -> bytes:
        tokens += self._parameter.findall(path)
        path = self._parameter.sub(b"", path)  # with the delimiter before it: RFC 9246 §2.1.15
        inner = self._parameter.search(path)
        if inner is None:
            return path
        # One stood around another, which no signer writes: it counts, and what follows goes with it.
        tokens.append(inner[1])
        return path[: inner.start()]

    def _take_pairs(self, query: bytes, tokens: list[bytes]) -> bytes:
        tokens += self._pair.findall(query)
        left = self._pair.sub(b"", query)
        return left[:-1] if left.endswith(b"&") and not query.endswith(b"&") else left


def place_in_path(url: str, token: str, path_element: str = PATH_ELEMENT) -> str:
    """``url`` with ``token`` as the first element of its path."""
    parts = urlsplit(url)
    return parts._replace(path=f"/{path_element}/{token}{parts.path or '/'}").geturl()


def place_in_query(url: str, token: str, package_attribute: str = PACKAGE_ATTRIBUTE) -> str:
    """``url`` with ``token`` as the last parameter of its query."""
    parts = urlsplit(url)
    query = f"{parts.query}&" if parts.query else ""
    return parts._replace(query=f"{query}{package_attribute}={token}").geturl()
