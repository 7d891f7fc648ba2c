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
        self._parameter = re.compile(rb";%b=([A-Za-z0-9._~-]*)" % re.escape(self.attribute))

    def take(self, path: bytes, query: bytes) -> Placed:
        """``path`` (decoded) and ``query`` without the token. What is left never holds one, whatever the fault."""
        tokens = []
        fault: Literal["", "malformed"] = ""
        while path.startswith(self.element):
            token, slash, rest = path[len(self.element) :].partition(b"/")
            tokens.append(token)
            path = b"/" + rest
            fault = fault if slash else "malformed"
        if b";" in path:
            tokens += self._parameter.findall(path)
            path = self._parameter.sub(b"", path)  # with the delimiter before it: RFC 9246 §2.1.15
        if self.attribute in query:
            query = self._take_query(query, tokens)
        if len(tokens) > 1:
            return Placed(b"", path, query, "repeated")
        return Placed(tokens[0] if tokens else b"", path, query, fault)

    def _take_query(self, query: bytes, tokens: list[bytes]) -> bytes:
        kept = []
        for parameter in query.split(b"&"):
            name, _, value = parameter.partition(b"=")
            if name == self.attribute:
                tokens.append(value)
            else:
                kept.append(parameter)
        return b"&".join(kept)


def place_in_path(url: str, token: str, path_element: str = PATH_ELEMENT) -> str:
    """``url`` with ``token`` as the first element of its path."""
    parts = urlsplit(url)
    return parts._replace(path=f"/{path_element}/{token}{parts.path or '/'}").geturl()


def place_in_query(url: str, token: str, package_attribute: str = PACKAGE_ATTRIBUTE) -> str:
    """``url`` with ``token`` as the last parameter of its query."""
    parts = urlsplit(url)
    query = f"{parts.query}&" if parts.query else ""
    return parts._replace(query=f"{query}{package_attribute}={token}").geturl()
