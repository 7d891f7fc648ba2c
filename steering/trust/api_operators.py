"""Operators at the door: who asks, whether that role may, and what they changed; log in, log out, the audit log.

One seam for who somebody is: ``begin`` opens a session for a user that has been proven. ``login`` proves by a password;
a handler of OpenID Connect's redirect would prove by an identity token, and call the same.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from functools import partial
from typing import Annotated

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from msgspec import Meta, Struct

from oca.common.clock import monotonic_s, now_ns
from oca.common.log import get_logger
from oca.common.messages import Message, Name
from oca.common.new_key import new_secret
from oca.common.problem import Refusal, json_response, read_body
from oca.common.threads import in_thread
from steering.api.authorisation import PROXIED, refuse_form, second_hand
from steering.api.endpoints import Query, endpoint
from steering.api.page import PAGES, login_page
from steering.decision.address import Trust, client_of, parse_address
from steering.state.store import StateStore
from steering.trust.audit import Actor, Entry, append, audited, read_entries
from steering.trust.gate import ADMIN_BELOW, ASKING, wanted_role
from steering.trust.identities import open_token
from steering.trust.rates import Buckets, client_key
from steering.trust.roles import Role, may
from steering.trust.settings import OperatorsTable
from steering.trust.users import (
    PASSWORD_CHARACTERS_MAX,
    Login,
    User,
    end_login,
    login_of,
    open_login,
    password_holds,
    user_of,
)

COOKIE = "oca-steering"
BODY_BYTES_MAX = 4096
ATTEMPTS_BURST, ATTEMPTS_PER_S = 10, 1 / 30
"""By client, and by user name: a password of ten characters outlasts that."""
ATTEMPTS_KEYS_MAX = 20_000
HASHES_AT_ONCE = 2
_ENTRIES_MAX = 1000
_LAST = Query("last", f"So many entries; else {_ENTRIES_MAX}.", Annotated[int, Meta(ge=1, le=_ENTRIES_MAX)])
_LOOPBACK = Trust(("127.0.0.0/8", "::1/128"))
_log = get_logger("operators")


class LoginRequest(Message, frozen=True):
    """``POST /v1/login``."""

    name: Annotated[str, Meta(max_length=64)]
    password: Annotated[str, Meta(max_length=PASSWORD_CHARACTERS_MAX)]

    def __repr__(self) -> str:
        return f"LoginRequest({self.name})"


class EnrolmentRequest(Message, frozen=True):
    """``POST /v1/operators/enrolments``."""

    appliance: Name
    ttl_s: Annotated[int, Meta(ge=60, le=30 * 86400)] = 3600


class EnrolmentToken(Struct, frozen=True):
    """A token that lets a box enrol once, until it ends."""

    appliance: str
    token: str
    ends_at_ns: int

    def __repr__(self) -> str:
        return f"EnrolmentToken({self.appliance})"


class AuditLog(Struct, frozen=True):
    """The last entries, oldest first."""

    entries: list[Entry]


class Operator(Struct, frozen=True):
    """Who asks; a request from this machine is an admin's where no login is wanted."""

    name: str
    role: Role


_login_requests = msgspec.json.Decoder(LoginRequest)
_enrolment_requests = msgspec.json.Decoder(EnrolmentRequest)


class Operators:
    """Middleware and handlers over the users in the state."""

    def __init__(self, settings: OperatorsTable, state: StateStore, trusted: Trust, site_of: Mapping[str, str]) -> None:
        self._settings = settings
        self._state = state
        self._trusted = trusted
        self._site_of = site_of
        self._attempts = Buckets(rate_per_s=ATTEMPTS_PER_S, burst=ATTEMPTS_BURST, keys_max=ATTEMPTS_KEYS_MAX)
        self._hashing = asyncio.Semaphore(HASHES_AT_ONCE)

    @property
    def gate(self) -> Middleware:
        """Lets each request through to whom it is for, and writes down what operators change."""

        @web.middleware
        async def gate(request: web.Request, handler: Handler) -> web.StreamResponse:
            wanted = wanted_role(request.method, request.path)
            if wanted is None:
                return await handler(request)
            try:
                request[_OPERATOR] = operator = self._admit(request, wanted)
            except Refusal as refusal:
                if refusal.problem.status == 401 and request.path in PAGES:
                    return login_page()
                raise
            response = await handler(request)
            if request.method not in ("GET", "HEAD") and response.status < 400 and request.path not in _OWN_ENTRY:
                actor = Actor(operator.name, self._place(request))
                await in_thread(partial(self._note, actor, request.method, request.path), name="audit")
            return response

        return gate

    @endpoint("POST", "/v1/login", takes=LoginRequest, gives=Operator, refuses=(401, 429))
    async def login(self, request: web.Request) -> web.Response:
        """Begin a session for whoever knows the password."""
        refuse_form(request)
        asked = await read_body(request, _login_requests, bytes_max=BODY_BYTES_MAX)
        place = self._place(request)
        address = parse_address(place)
        keys = (
            ("name", asked.name),
            ("client", client_key(address.version, address.number) if address is not None else place),
        )
        wait_s = max(self._attempts.take(key, now_s=monotonic_s()) for key in keys)
        if wait_s:
            after = str(math.ceil(wait_s))
            raise Refusal(429, "Too many attempts to log in", remedy=f"wait {after} s", headers={"Retry-After": after})
        user = user_of(self._state, asked.name)
        async with self._hashing:
            holds = await in_thread(partial(password_holds, user, asked.password), name="password")
        if user is None or not holds:
            _log.warning("login refused", user=asked.name, address=place)
            raise Refusal(401, "Name or password is wrong", remedy="'oca-steering users password NAME' sets a new one")
        return await self.begin(request, user)

    async def begin(self, request: web.Request, user: User) -> web.Response:
        """Open a session for ``user``, who has been proven, and hand its cookie out."""
        secret, at_ns, ttl_s = new_secret(), now_ns(), self._settings.session_s
        place = self._place(request)
        login = Login(
            user=user.name, kind="session", label=place, made_at_ns=at_ns, ends_at_ns=at_ns + int(ttl_s * 1e9)
        )

        def keep() -> None:
            with audited(self._state, Actor(user.name, place), "login", user.role, now_ns=at_ns) as transaction:
                open_login(transaction, secret, login)

        await in_thread(keep, name="login")
        response = json_response(Operator(user.name, user.role), headers={"Cache-Control": "no-store"})
        self._set_cookie(request, response, secret, int(ttl_s))
        return response

    @endpoint("POST", "/v1/logout", status=204)
    async def logout(self, request: web.Request) -> web.Response:
        """End the session."""
        secret = _shown(request)

        def end() -> None:
            with audited(
                self._state, Actor(request[_OPERATOR].name, self._place(request)), "logout", "", now_ns=now_ns()
            ) as transaction:
                end_login(transaction, secret)

        if secret:
            await in_thread(end, name="logout")
        response = web.Response(status=204, headers={"Cache-Control": "no-store"})
        self._set_cookie(request, response, "", 0)
        return response

    @endpoint("GET", "/v1/operators/me", gives=Operator)
    async def me(self, request: web.Request) -> web.Response:
        """Who asks."""
        return json_response(request[_OPERATOR], headers={"Cache-Control": "no-store"})

    @endpoint("GET", "/v1/operators/audit", gives=AuditLog, refuses=(400,), query=(_LAST,))
    async def audit(self, request: web.Request) -> web.Response:
        """The last entries of the audit log."""
        text = request.query.get("last", str(_ENTRIES_MAX))
        if not (text.isascii() and text.isdigit() and len(text) < 8 and 1 <= int(text) <= _ENTRIES_MAX):
            raise Refusal(400, f"last must be a whole number from 1 to {_ENTRIES_MAX}", field="last")
        entries = await in_thread(partial(read_entries, self._state, last=int(text)), name="audit")
        return json_response(AuditLog(entries), headers={"Cache-Control": "no-store"})

    @endpoint(
        "POST", "/v1/operators/enrolments", takes=EnrolmentRequest, gives=EnrolmentToken, status=201, refuses=(404,)
    )
    async def enrolment(self, request: web.Request) -> web.Response:
        """A one-time token for an appliance, as 'oca-steering enrol create' makes it."""
        refuse_form(request)
        asked = await read_body(request, _enrolment_requests, bytes_max=BODY_BYTES_MAX)
        if asked.appliance not in self._site_of:
            raise Refusal(404, "No such appliance", field="$.appliance", remedy="add it to its [[site]] first")
        actor, at_ns, secret = Actor(request[_OPERATOR].name, self._place(request)), now_ns(), new_secret()

        def keep() -> str:
            with audited(self._state, actor, "enrol create", asked.appliance, now_ns=at_ns) as transaction:
                return open_token(transaction, asked.appliance, secret, now_ns=at_ns, ttl_s=asked.ttl_s)

        token = await in_thread(keep, name="enrolment")
        answer = EnrolmentToken(asked.appliance, token, at_ns + asked.ttl_s * 10**9)
        return json_response(answer, status=201, headers={"Cache-Control": "no-store"})

    def _admit(self, request: web.Request, wanted: Role) -> Operator:
        secret = _shown(request)
        found = login_of(self._state, secret, now_ns=now_ns()) if secret else None
        if found is None and (
            self._settings.login == "off" or (self._settings.login == "remote" and _is_local(request))
        ):
            alters = request.method not in ("GET", "HEAD") or request.path.startswith(ADMIN_BELOW)
            if alters and (shown := second_hand(request)):
                raise Refusal(403, f"{shown} says that a page or a proxy asks: log in", remedy="POST /v1/login")
            return Operator("local", "admin")
        if found is None:
            raise Refusal(
                401,
                "Log in, or show a token" if not secret else "The session or token has ended",
                remedy="POST /v1/login, or Authorization: Bearer with a token of 'oca-steering users token NAME'",
                headers={"WWW-Authenticate": "Bearer"},
            )
        user, _ = found
        if not may(user.role, wanted):
            raise Refusal(403, f"{user.name} has the role {user.role}; this needs {wanted}", remedy="ask an admin")
        return Operator(user.name, user.role)

    def vouches(self, request: web.Request) -> bool:
        """Whether the request may name the client that it is for: it shows who it is, whatever address it comes from.

        Raises:
            Refusal: 401, it shows a token that is none any more: answers for the wrong client would be worse.
        """
        secret = _shown(request)
        if not secret:
            return False
        if login_of(self._state, secret, now_ns=now_ns()) is not None:
            return True
        if "Authorization" in request.headers:
            raise Refusal(
                401,
                "The token is none, or has ended",
                remedy="make another with 'oca-steering users token NAME', or ask without one",
                headers={"WWW-Authenticate": "Bearer"},
            )
        return False

    def actor(self, request: web.Request) -> Actor:
        """Who asks, for the audit log; of a request that ``gate`` let through."""
        return Actor(request[_OPERATOR].name, self._place(request))

    def _place(self, request: web.Request) -> str:
        forwarded = request.headers.getall("X-Forwarded-For", [])
        return client_of(request.remote or "", forwarded, "", self._trusted).address.text

    def _note(self, actor: Actor, method: str, path: str) -> None:
        with self._state.write() as transaction:
            append(transaction, actor, method.lower(), path, now_ns=now_ns())

    def _set_cookie(self, request: web.Request, response: web.Response, secret: str, age_s: int) -> None:
        peer = parse_address(request.remote or "")
        behind_tls = peer is not None and self._trusted.covers(peer) and _FORWARDED_TLS in request.headers.items()
        secure = request.secure or behind_tls
        response.set_cookie(COOKIE, secret, max_age=age_s, path="/", httponly=True, samesite="Strict", secure=secure)


_OPERATOR = web.RequestKey("operator", Operator)
_FORWARDED_TLS = ("X-Forwarded-Proto", "https")
_OWN_ENTRY = ("/v1/logout", "/v1/operators/enrolments", "/v1/drains", "/v1/drains/end", "/v1/turnup", *ASKING)
"""What writes a better entry itself, and what changes nothing."""


def _is_local(request: web.Request) -> bool:
    """Whether somebody on this machine asks, with nobody in between who tells of himself."""
    peer = parse_address(request.remote or "")
    if peer is None or any(name in request.headers for name in PROXIED):
        return False
    here = request.transport.get_extra_info("sockname") if request.transport is not None else None
    return _LOOPBACK.covers(peer) or (here is not None and request.remote == here[0])


def _shown(request: web.Request) -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    return request.cookies.get(COOKIE, "")
