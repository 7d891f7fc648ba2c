"""What a worker needs for TLS beside the settings: the same for all of them, handed down by the supervisor."""

from __future__ import annotations

from msgspec import Struct


class Pair(Struct, frozen=True, kw_only=True):
    """A certificate and its key that belong together; the key stays in its file.

    Attributes:
        names: Host names the certificate is for, lower case; a wildcard as ``*.example.net``.
        valid_from_s, expires_at_s: Seconds since 1970.
    """

    chain_file: str
    key_file: str
    names: tuple[str, ...]
    valid_from_s: float
    expires_at_s: float


class Material(Struct, frozen=True, kw_only=True):
    """Certificates and shared keys.

    Attributes:
        pairs: The certificates, the default first.
        ticket_keys: Empty where they cannot be shared; each worker then has its own.
        kernel: Whether the kernel is to encrypt.
    """

    pairs: tuple[Pair, ...] = ()
    ticket_keys: bytes = b""
    kernel: bool = False

    def __repr__(self) -> str:  # keys must not get into a log
        return f"Material({[pair.chain_file for pair in self.pairs]}, kernel={self.kernel})"
