"""Operators in the state: users with passwords and roles, their sessions and tokens. Secrets are kept as digests."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from hashlib import scrypt, sha256
from hmac import compare_digest
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from steering.state.store import StateReader, StateTransaction
from steering.trust.roles import Role

USERS_PREFIX = "user/"
KEYS_PREFIX = "login/"
PASSWORD_CHARACTERS_MIN, PASSWORD_CHARACTERS_MAX = 10, 200
_COST, _BLOCK, _PARALLEL, _MEMORY_BYTES_MAX = 2**15, 8, 1, 64 * 2**20
"""OWASP's second choice for scrypt: 32 MiB and about 0.1 s a guess."""
UserName = Annotated[
    str,
    Meta(
        pattern=r"\A[a-z0-9]([a-z0-9._@-]{0,62}[a-z0-9])?\Z",
        extra={"form": "lower-case letters, digits and inner . _ @ -, 64 at most"},
    ),
]


class User(Struct, frozen=True, kw_only=True):
    """An operator; ``repr`` shows nothing of the password."""

    name: UserName
    role: Role
    salt: str
    password: str
    made_at_ns: int

    def __repr__(self) -> str:
        return f"User({self.name}, {self.role})"


class Login(Struct, frozen=True, kw_only=True):
    """What a session's cookie or an API token stands for; it itself is nowhere, only its digest, as the key."""

    user: str
    kind: Literal["session", "token"]
    label: str
    made_at_ns: int
    ends_at_ns: int


_users = msgspec.json.Decoder(User)
_logins = msgspec.json.Decoder(Login)
_encode = msgspec.json.Encoder().encode


def user_of(state: StateReader, name: str) -> User | None:
    """The user of that name."""
    raw = state.get(USERS_PREFIX + name)
    return _users.decode(raw) if raw is not None else None


def users(state: StateReader) -> list[User]:
    """All, by name."""
    return [_users.decode(raw) for _, raw in state.scan(USERS_PREFIX)]


def put_user(transaction: StateTransaction, name: str, role: Role, password: str, salt: str, *, now_ns: int) -> None:
    """Add a user, or give one another role and password; whoever is logged in by the old one is so no more."""
    end_logins(transaction, name)
    user = User(name=name, role=role, salt=salt, password=_hash(password, salt), made_at_ns=now_ns)
    transaction.put(USERS_PREFIX + name, _encode(user))


def change_role(transaction: StateTransaction, user: User, role: Role) -> None:
    """From the next request on."""
    transaction.put(USERS_PREFIX + user.name, _encode(replace(user, role=role)))


def remove_user(transaction: StateTransaction, name: str) -> None:
    """With all sessions and tokens."""
    end_logins(transaction, name)
    transaction.delete(USERS_PREFIX + name)


def password_fault(password: str, name: str) -> str:
    """Why it is no password for ``name``, or an empty string (NIST SP 800-63B: length counts, composition does not)."""
    if not PASSWORD_CHARACTERS_MIN <= len(password) <= PASSWORD_CHARACTERS_MAX:
        return f"has {len(password)} characters; {PASSWORD_CHARACTERS_MIN} to {PASSWORD_CHARACTERS_MAX} are allowed"
    return "holds the user's name, or one sign alone" if name in password or len(set(password)) < 3 else ""


def password_holds(user: User | None, password: str) -> bool:
    """Whether it is the user's; a user that is not there takes as long. Blocks for 0.1 s."""
    shown = _hash(password[:PASSWORD_CHARACTERS_MAX], user.salt if user is not None else "nobody")
    return compare_digest(shown, user.password if user is not None else "") and user is not None


def open_login(transaction: StateTransaction, secret: str, login: Login) -> None:
    """Make ``secret`` stand for ``login``; drops what has ended of all users."""
    for key, kept in list(_kept(transaction)):
        if kept.ends_at_ns <= login.made_at_ns:
            transaction.delete(key)
    transaction.put(KEYS_PREFIX + _digest(secret), _encode(login))


def login_of(state: StateReader, secret: str, *, now_ns: int) -> tuple[User, Login] | None:
    """For whom ``secret`` stands now."""
    raw = state.get(KEYS_PREFIX + _digest(secret))
    login = _logins.decode(raw) if raw is not None else None
    if login is None or login.ends_at_ns <= now_ns:
        return None
    user = user_of(state, login.user)
    return (user, login) if user is not None else None


def logins(state: StateReader, kind: Literal["session", "token"], *, now_ns: int) -> list[Login]:
    """Those that are good now."""
    return [login for _, login in _kept(state) if login.kind == kind and login.ends_at_ns > now_ns]


def end_login(transaction: StateTransaction, secret: str) -> None:
    """This one."""
    transaction.delete(KEYS_PREFIX + _digest(secret))


def end_logins(transaction: StateTransaction, name: str, *, label: str | None = None) -> int:
    """All of a user, or the tokens of that label; how many there were."""
    found = [
        key
        for key, login in _kept(transaction)
        if login.user == name and (label is None or (login.kind == "token" and login.label == label))
    ]
    for key in found:
        transaction.delete(key)
    return len(found)


def _kept(state: StateReader) -> Iterator[tuple[str, Login]]:
    return ((key, _logins.decode(raw)) for key, raw in state.scan(KEYS_PREFIX))


def _hash(password: str, salt: str) -> str:
    raw = scrypt(
        password.encode("utf-8", "surrogatepass"),
        salt=salt.encode(),
        n=_COST,
        r=_BLOCK,
        p=_PARALLEL,
        maxmem=_MEMORY_BYTES_MAX,
        dklen=32,
    )
    return b64encode(raw).decode()


def _digest(secret: str) -> str:
    """Of 256 random bits: nothing to guess, so no slow hash is needed."""
    return sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
