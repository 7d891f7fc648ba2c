"""The URI container of a signed URL (RFC 9246 §2.1.15): which URIs a token is good for.

A ``regex:`` pattern must match the whole URI, as if it stood between ``^`` and ``$``. RE2 evaluates it, whose time
grows with the length of the URI only: no pattern can make it backtrack. A pattern that begins with ``/`` is held
against path and query alone, any other against scheme, authority, path and query.
"""

from __future__ import annotations

import hashlib
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from typing import Any
from urllib.parse import quote_from_bytes, unquote_to_bytes

import re2

PATTERN_BYTES_MAX = 512
URI_BYTES_MAX = 2048
"""Longer URIs match no pattern."""
REPETITIONS_MAX = 64
"""Most that ``{m,n}`` may ask for; with ``MEMORY_BYTES_MAX`` the bound on the automaton's size."""
MEMORY_BYTES_MAX = 65536
_SAFE = "/:@!$&'()*+,;=~"
_AS_IS = bytes(range(0x30, 0x3A)) + bytes(range(0x41, 0x5B)) + bytes(range(0x61, 0x7B)) + b"-._" + _SAFE.encode()
_REPETITION = re.compile(r"\{(\d+)(?:,(\d*))?\}")
# A literal path and then anything: by far the most usual container, and a plain comparison.
_PREFIX = re.compile(r"\^?(/(?:[A-Za-z0-9/_~!&',;=:@%-]|\\[.+*()\[\]{}|^$\\/~-])*)\.\*\$?")
_SPECIAL = re.compile(r"[.+*?()|^$\[\]{}\\]")
_SHA256 = "hash:sha-256;"


class ContainerError(ValueError):
    """The claim holds no container that is known here, or one beyond the bounds."""


class Container:
    """One container, ready to be held against URIs."""

    __slots__ = ("_digest", "_local", "_pattern", "prefix")

    def __init__(self, *, prefix: bytes | None = None, pattern: Any = None, local: bool = False, digest: bytes = b""):
        self.prefix = prefix
        """What the decoded path must begin with, where that is all."""
        self._pattern = pattern
        self._local = local
        self._digest = digest

    def covers(self, path: bytes, query: bytes, origin: bytes) -> bool:
        """Whether the token is good for a request.

        Args:
            path: The path that is looked up, percent-decoded, without the token.
            query: As sent, without the token.
            origin: ``scheme://authority`` as the client names it, in lower case, without a default port.
        """
        if self.prefix is not None:
            return path.startswith(self.prefix)
        local = normalised(path) + (b"?" + query if query else b"")
        whole = origin + local
        if self._pattern is None:  # RFC 9246 §2.1.15.1; a hash tells no form: either may be meant
            return self._digest in (hashlib.sha256(whole).digest(), hashlib.sha256(local).digest())
        if len(whole) > URI_BYTES_MAX:
            return False
        return self._pattern.fullmatch(local if self._local else whole) is not None


def read_container(claim: str) -> Container:
    """The container in a ``cdniuc`` claim.

    Raises:
        ContainerError: It is in no form known here, or too large.
    """
    form, _, text = claim.partition(":")
    if form == "regex":
        return _read_pattern(text)
    if form == "hash":
        return Container(digest=_read_digest(claim))
    raise ContainerError("neither hash: nor regex:")


def prefix_container(prefix: str) -> str:
    """The ``cdniuc`` claim for every URI whose path begins with ``prefix``, whatever host serves it."""
    return f"regex:{_SPECIAL.sub(_escaped, prefix)}.*"


def hash_container(uri: str) -> str:
    """The ``cdniuc`` claim for ``uri`` alone: the URL segment form of its SHA-256 (RFC 6920 §5)."""
    return _SHA256 + _encoded(hashlib.sha256(uri.encode()).digest())


def normalised(path: bytes) -> bytes:
    """A decoded path in the percent-encoded form of RFC 3986 §6.2.2 that containers are written in."""
    return path if not path.translate(None, _AS_IS) else quote_from_bytes(path, _SAFE).encode()


def _read_pattern(text: str) -> Container:
    if not text.isascii() or not 0 < len(text) <= PATTERN_BYTES_MAX:
        raise ContainerError(f"a pattern of more than {PATTERN_BYTES_MAX} bytes, or not in ASCII")
    literal = _PREFIX.fullmatch(text)
    if literal is not None:
        return Container(prefix=unquote_to_bytes(re.sub(r"\\(.)", r"\1", literal[1])))
    for found in _REPETITION.finditer(text):
        if any(int(count) > REPETITIONS_MAX for count in found.groups() if count):
            raise ContainerError(f"a repetition of more than {REPETITIONS_MAX}")
    try:
        pattern = re2.compile(text.encode(), _options())
    except re2.error:
        raise ContainerError("no POSIX extended regular expression, or one that takes too much memory") from None
    return Container(pattern=pattern, local=text.lstrip("^").startswith("/"))


def _options() -> Any:
    """POSIX extended syntax (RFC 9246 §2.1.15.2), bytes as they are."""
    options = re2.Options()
    options.posix_syntax = True
    options.never_capture = True
    options.log_errors = False
    options.max_mem = MEMORY_BYTES_MAX
    options.encoding = re2.Options.Encoding.LATIN1
    return options


def _escaped(found: re.Match[str]) -> str:
    return "\\" + found[0]


def _read_digest(claim: str) -> bytes:
    if not claim.startswith(_SHA256):
        raise ContainerError("a hash other than sha-256")
    try:
        digest = urlsafe_b64decode(claim[len(_SHA256) :] + "=")
    except (Base64Error, ValueError):
        raise ContainerError("a hash that is no base64url") from None
    if len(digest) != hashlib.sha256().digest_size or _SHA256 + _encoded(digest) != claim:
        raise ContainerError("a hash of another length")
    return digest


def _encoded(digest: bytes) -> str:
    return urlsafe_b64encode(digest).rstrip(b"=").decode()
