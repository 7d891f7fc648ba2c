"""A box's own key, in a file that it alone reads, and what a request to steering carries to prove who asks."""

from __future__ import annotations

import os
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec
from msgspec import Struct

from oca.common.box import SteeringTable
from oca.common.clock import now_ns
from oca.common.enrolment import PublicKey
from oca.common.errors import ConfigError
from oca.common.messages import Name
from oca.common.token import read_token

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

IDENTITY_BYTES_MAX = 4096


class Identity(Struct, frozen=True, kw_only=True):
    """What the file holds; ``repr`` shows nothing of the key."""

    appliance: Name
    keyid: str
    private: PublicKey
    """The private half, in the form of a public one."""

    def __repr__(self) -> str:
        return f"Identity({self.appliance}, {self.keyid})"


_decode = msgspec.json.Decoder(Identity).decode


def read_identity(path: str, *, appliance: str) -> Identity | None:
    """The identity in the file ``path``; None where ``path`` is empty or nothing is there.

    Raises:
        ConfigError: The file cannot be read, is none of ours, or is of another appliance.
    """
    if not path:
        return None
    try:
        with Path(path).open("rb") as file:
            identity = _decode(file.read(IDENTITY_BYTES_MAX))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError(
            f"steering.identity_file = {path!r}: cannot be read: {error.strerror}",
            remedy="give it to the user that oca serve and oca-fill run as",
        ) from None
    except msgspec.DecodeError as error:
        raise ConfigError(
            f"steering.identity_file = {path!r}: is no identity: {error}",
            remedy="remove it and enrol this box anew with 'oca enrol'",
        ) from None
    if identity.appliance != appliance:
        raise ConfigError(
            f"steering.identity_file = {path!r}: is the identity of {identity.appliance}, and this is {appliance}",
            remedy="enrol this box under its own id with 'oca enrol', or correct appliance.id",
        )
    return identity


class Credentials:
    """Proves to steering who asks: by the box's key once it is enrolled, by the token of token_file otherwise."""

    def __init__(self, steering: SteeringTable, appliance: str) -> None:
        """Read what is there.

        Raises:
            ConfigError: A file cannot be used.
        """
        self._path = steering.identity_file
        self._appliance = appliance
        self._token = read_token(steering.token_file, setting="steering.token_file")
        self._nonces = count()
        self._file = self._look()
        self._private = self._read()

    @property
    def kind(self) -> Literal["key", "token", "address"]:
        """By what steering is to know this box."""
        return "key" if self._private is not None else "token" if self._token else "address"

    def headers(self, method: str, path: str, body: bytes = b"") -> dict[str, str]:
        """What the request must carry; made anew for each, and good for a minute.

        Args:
            method: As sent.
            path: Below ``steering.url``, percent-encoded as sent, without a query.
            body: As sent.

        Raises:
            ConfigError: The identity was changed to one that cannot be used.
        """
        if (found := self._look()) != self._file:
            self._private, self._file = self._read(), found
        if self._private is None:
            return {"Authorization": f"Bearer {self._token}"} if self._token else {}
        from oca.common.http_signature import sign  # noqa: PLC0415 - loads cryptography, for enrolled boxes alone

        at_ns = now_ns()
        # The process id: the daemon and the fill agent sign with one key, perhaps in the same nanosecond.
        nonce = f"{at_ns:016x}{os.getpid() & 0xFFFFFFFF:08x}{next(self._nonces) & 0xFFFFFFFF:08x}"
        return sign(self._private, method, path, body=body, created_s=at_ns // 10**9, nonce=nonce)

    def _look(self) -> tuple[int, int]:
        """Which file is there: 'oca enrol' puts another in its place under a running daemon."""
        try:
            found = Path(self._path).stat() if self._path else None
        except OSError:
            found = None
        return (found.st_ino, found.st_mtime_ns) if found is not None else (0, 0)

    def _read(self) -> Ed25519PrivateKey | None:
        identity = read_identity(self._path, appliance=self._appliance)
        if identity is None:
            return None
        from oca.common.http_signature import read_private  # noqa: PLC0415 - loads cryptography

        return read_private(identity.private)
