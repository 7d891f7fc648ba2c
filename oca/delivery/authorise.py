"""The gate before the look-up: whether the token in a request's URL grants it.

A token's signature is checked once per worker. From then on it costs a look-up in a dictionary, two comparisons with
the time of the last sweep and one of the path. Refused tokens are remembered too, apart from the good ones, so that
no flood of bad ones can push those out; checks per second are bounded, in all and for a client that fails.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Literal

from msgspec import structs

from oca.common.jwk import Jwk
from oca.common.keyring import KeyRing
from oca.common.signed_url import TokenPlaces
from oca.common.signing import Grant, find_key, read_claims, verify
from oca.common.signing_reasons import Refusal
from oca.delivery.authorisation import Authorisation
from oca.delivery.authorisation_settings import AuthorisationTable
from oca.delivery.clients import client_key
from oca.delivery.metrics import DELIVERY_SLOTS, labelled
from oca.http1.request import Request
from oca.http1.response import Reply, cache_status
from oca.http1.response import refusal as reply_refusing

KNOWN_MAX = 8192
"""Good tokens per generation; there are two, so that those in use outlive the others. Some 600 bytes each."""
REFUSED_MAX = 1024
"""Bad tokens remembered; when full all go."""
FAILURES_MAX = 8
"""Bad signatures per client (an IPv6 /64 is one) and second; its further tokens are not looked at until the next."""
_SLOTS = labelled("delivery_authorisation_refusals")
_CHECKED = DELIVERY_SLOTS["delivery_tokens_checked"]
_DEFAULT_PORTS = {b"http": b":80", b"https": b":443"}


class Gate:
    """Judges requests by one set of keys and rules."""

    def __init__(
        self,
        settings: AuthorisationTable,
        told: Authorisation,
        counts: memoryview[int],
        *,
        appliance: str,
        before: Gate | None = None,
    ) -> None:
        """Make ready.

        Args:
            settings: The rules.
            told: The keys, and what steering asks for.
            counts: The worker's counters.
            appliance: Its id: a name it goes by, and what it calls itself in the debug header.
            before: The gate that this one takes the place of; what it knows by keys that stayed is kept.

        Raises:
            ConfigError: A key is none.
        """
        self._settings = settings
        self._counts = counts
        self._appliance = appliance
        self._audience = frozenset({appliance, *settings.audience})
        element = told.policy.path_element if told.policy is not None else settings.path_element
        self._places = TokenPlaces(element, settings.package_attribute)
        self._element, self._attribute = self._places.element, self._places.attribute
        self._line = b"GET " + self._element
        self._at, self._line_at = len(self._element), len(self._line)
        enforced = told.enforcement(settings)
        self._everywhere = enforced == "required"
        self._mounts = tuple(mount.encode() + b"/" for mount in settings.mounts) if enforced == "by-mount" else ()
        self._ring = KeyRing()
        self._keys: dict[str, tuple[Jwk, tuple[str, ...]]] = {}
        """Each with those it may speak for."""
        self._learn(told.keys, "keys_file", settings.issuers)
        if told.policy is not None:
            self._learn(told.policy.keys, "steering", [told.policy.issuer])
        self._young: dict[bytes, Grant] = {}
        self._old: dict[bytes, Grant] = before.known(self) if before is not None else {}
        self._refused: dict[bytes, Refusal] = {}
        self._failures: dict[str, int] = {}
        self._checks_left = float(settings.checks_per_s_max)
        self._now_s = 0.0

    def known(self, successor: Gate) -> dict[bytes, Grant]:
        """The good tokens of those keys that mean the same to ``successor``."""
        same = {kid for kid, key in successor._keys.items() if self._keys.get(kid) == key}
        return {token: grant for token, grant in {**self._old, **self._young}.items() if grant.kid in same}

    def tick(self, now_s: float) -> None:
        """Take the wall clock's time: call it with each sweep, at least once a second."""
        passed_s = min(max(now_s - self._now_s, 0.0), 1.0)
        most = self._settings.checks_per_s_max
        self._checks_left = min(most, self._checks_left + most * passed_s)
        self._failures.clear()
        self._now_s = now_s

    def judge(
        self, request: Request, client: str, scheme: bytes = b"http", *, last: bool = False
    ) -> tuple[Request, Reply | None]:
        """The request without its token, and the answer to it where it is not granted.

        Args:
            request: As read.
            client: The peer's address.
            scheme: How it reached us, for tokens that name whole URIs.
            last: Whether the connection is to take no more requests.
        """
        path = request.path
        begin = self._known_to_grant(path, self._at, len(path)) if path.startswith(self._element) else 0
        if begin and b";" not in (rest := path[begin:]) and self._attribute not in request.query:
            return structs.replace(request, path=rest), None
        request, refusal = self.weigh(request, client, scheme)
        return request, self._deny(request, refusal, last=last) if refusal else None

    def weigh(
        self, request: Request, client: str, scheme: bytes = b"http", *, known: bool = False
    ) -> tuple[Request, Refusal | Literal[""]]:
        """As ``judge``, the long way, with the reason in place of the answer.

        ``known``: no signature is checked, which is for those who are served; an unknown token is one too many.
        """
        token, path, query, fault = self._places.take(request.path, request.query)
        request = structs.replace(request, path=path, query=query)
        if not (self._everywhere or (path + b"/").startswith(self._mounts)) or request.method == "OPTIONS":
            return request, ""  # a preflight names no token, and the answer tells nothing
        if fault or not token:
            return request, fault or "missing"
        if known and token not in self._young and token not in self._old:
            return request, "too-many"
        return request, self._refusal(request, token, client, scheme)

    def claims_of(self, request: Request) -> dict[str, object]:
        """What the token in a request claims, for a person; empty where it is not genuine."""
        return read_claims(self._places.take(request.path, request.query).token, self._ring)

    def granted(self, data: bytes, end: int) -> int:
        """Where what follows the token begins in a request whose token is known and grants it; else 0.

        For the usual request of a player; ``judge`` decides about any other. A second token may still follow, where
        ``;`` or ``may_hold_token`` tells so.

        Args:
            data: As in ``GET /t/TOKEN/rest?query HTTP/1.1``.
            end: Of its target.
        """
        return self._known_to_grant(data, self._line_at, end) if data.startswith(self._line) else 0

    def may_hold_token(self, query: bytes) -> bool:
        """Whether the long way has to look for a token there."""
        return b";" in query or self._attribute in query

    def _known_to_grant(self, data: bytes, at: int, end: int) -> int:
        """Where the path begins behind the token at ``at`` that is known to grant it by its prefix alone; else 0."""
        begin = data.find(b"/", at, end)
        grant = self._young.get(data[at:begin])
        if grant is None or not grant.quick or not data.startswith(grant.quick, begin, end):
            return 0
        return begin if grant.begins_s <= self._now_s < grant.ends_s else 0

    def _refusal(self, request: Request, token: bytes, client: str, scheme: bytes) -> Refusal | Literal[""]:
        """Why ``token`` does not grant ``request``, if so."""
        grant = self._young.get(token) or self._meet(token, client)
        if isinstance(grant, str):
            return grant
        if self._now_s >= grant.ends_s:
            return "expired"
        if self._now_s < grant.begins_s:
            return "not-yet"
        if grant.client is not None and not _among(client, grant.client):
            return "wrong-client"
        if not grant.container.covers(request.path, request.query, _origin(request, scheme)):
            return "wrong-uri"
        return ""

    def _meet(self, token: bytes, client: str) -> Grant | Refusal:
        """What there is to know about a token that is not among the young ones."""
        grant = self._old.get(token)
        if grant is not None:
            self._keep(token, grant)
            return grant
        refused = self._refused.get(token)
        if refused is not None:
            return refused
        key = find_key(token, self._ring)
        if isinstance(key, str):
            return self._refuse(token, key)
        client = client_key(client)
        if self._checks_left < 1 or self._failures.get(client, 0) >= FAILURES_MAX:
            return "too-many"
        self._checks_left -= 1
        self._counts[_CHECKED] += 1
        found = verify(token, key, self._ring, audience=self._audience)
        if isinstance(found, str):
            self._failures[client] = self._failures.get(client, 0) + 1
            return self._refuse(token, found)
        found.begins_s -= self._settings.clock_leeway_s
        found.ends_s += self._settings.clock_leeway_s
        prefix = found.container.prefix or b""
        # Where the prefix leaves room for a second token, or is no path as it stands in a target, the long way is gone.
        plain = not (self._element.startswith(prefix) or prefix.startswith(self._element) or b"?" in prefix)
        if plain and found.client is None:
            found.quick = prefix
        self._keep(token, found)
        return found

    def _keep(self, token: bytes, grant: Grant) -> None:
        if len(self._young) >= KNOWN_MAX:
            self._old, self._young = self._young, {}
        self._young[token] = grant

    def _refuse(self, token: bytes, refusal: Refusal) -> Refusal:
        if len(self._refused) >= REFUSED_MAX:
            self._refused.clear()
        self._refused[token] = refusal
        return refusal

    def _deny(self, request: Request, refusal: str, *, last: bool) -> Reply:
        self._counts[_SLOTS[refusal]] += 1
        extra = b"Retry-After: 1\r\n" if refusal == "too-many" else b""
        if self._settings.debug_header:
            extra += cache_status(self._appliance, f"detail=authorisation-{refusal}")
        return reply_refusing(429 if refusal == "too-many" else 403, b"not authorised\n", extra, to=request, close=last)

    def _learn(self, keys: Iterable[Jwk], source: str, issuers: Iterable[str]) -> None:
        known = tuple(issuers)
        self._ring.add(keys, source=source, issuers=known)
        self._keys.update({key.kid: (key, known) for key in keys})


def _among(client: str, network: IPv4Network | IPv6Network) -> bool:
    address = ip_address(client)
    return (getattr(address, "ipv4_mapped", None) or address) in network  # a listener on [::] shows IPv4 so


def _origin(request: Request, scheme: bytes) -> bytes:
    """Scheme and authority as the client named them (RFC 3986 §6.2.3: without the scheme's own port)."""
    return b"%b://%b" % (scheme, request.fields.host.removesuffix(_DEFAULT_PORTS[scheme]))
