"""Whether a request is signed by the appliance it names, now, and for the first time."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from aiohttp import web

from oca.common.clock import utc_of
from oca.common.http_signature import DIGEST_HEADER, Shown, read_public, read_signature, verifies
from oca.common.problem import Refusal
from oca.common.units import format_duration
from steering.metrics import Counts
from steering.state.store import StateReader
from steering.trust.identities import Record, record_of
from steering.trust.replay import Replays

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

KEYS_KEPT_MAX = 20_000


class Signatures:
    """The checks of one instance; what it has seen is its own and ends with it."""

    def __init__(
        self, state: StateReader, counts: Counts, *, clock_skew_s_max: float, now_ns: Callable[[], int]
    ) -> None:
        self._state = state
        self._counts = counts
        self._skew_s_max = clock_skew_s_max
        self._now_ns = now_ns
        self._started_s = now_ns() // 10**9
        self._replays = Replays(2 * clock_skew_s_max + 1)
        self._keys: dict[str, Ed25519PublicKey] = {}

    def record_of(self, appliance: str) -> Record | None:
        """The identity that ``appliance`` must prove; None: it has none, and other rules count.

        Raises:
            SteeringError: The state cannot be read.
        """
        return record_of(self._state, appliance)

    def require(self, request: web.Request, record: Record) -> str:
        """The id of the good key of ``record`` that has signed ``request``.

        Raises:
            Refusal: It is not signed, or not so.
        """
        appliance = record.appliance
        if record.revoked_at_ns:
            raise self._refusal(
                "revoked",
                403,
                f"The identity of {appliance} was revoked at {_instant(record.revoked_at_ns)}",
                f"make a token with 'oca-steering enrol create --appliance {appliance}' and enrol the box anew",
            )
        shown = self.shown(request, appliance)
        key = record.key(shown.keyid, now_ns=self._now_ns())
        if key is None:
            raise self._refusal(
                "unknown-key",
                401,
                f"Signed with a key that is not {appliance}'s",
                f"enrol the box with a new token ('oca-steering enrol create --appliance {appliance}')",
            )
        self.prove(request, shown, key.x, of=appliance)
        return key.keyid

    def prove(self, request: web.Request, shown: Shown, x: str, *, of: str) -> None:
        """Hold ``shown`` against the public key ``x`` of the appliance ``of``, the clock and what was seen.

        Raises:
            Refusal: The key's owner did not sign this request, or long ago, or it was seen before.
        """
        now_ns = self._now_ns()
        self._refuse_time(shown, now_ns, of)
        digest = request.headers.get(DIGEST_HEADER, "")
        path, query = request.rel_url.raw_path, request.rel_url.raw_query_string
        if not verifies(shown, self._public(shown.keyid, x), request.method, path, query=query, digest=digest):
            raise self._refusal(
                "forged",
                401,
                "The signature is not one of this request",
                "if nobody forges it: nothing between the box and steering may change its path, query or body",
            )
        if request.method == "POST" and not shown.body:
            raise self._refusal("forged", 401, "The body is not signed", "send Content-Digest and sign it")
        seen = self._replays.take(shown.keyid, shown.nonce, now_s=now_ns / 1e9)
        if seen == "replayed":
            raise self._refusal(
                "replayed", 401, "This request was seen before", "sign each request anew: somebody may be replaying it"
            )
        if seen == "too-many":
            raise self._refusal("too-many", 429, f"{of} sends too many requests", "wait a minute, then send fewer")

    def shown(self, request: web.Request, appliance: str) -> Shown:
        """What a request shows, unproven.

        Raises:
            Refusal: It shows no signature.
        """
        shown = read_signature(request.headers)
        if shown is None:
            raise self._refusal(
                "unsigned",
                401,
                f"{appliance} must sign with its own key, and this is not signed",
                "check steering.identity_file on the box, or enrol it anew; 'oca-steering enrol forget' goes back to "
                "token_file",
            )
        return shown

    def _refuse_time(self, shown: Shown, now_ns: int, of: str) -> None:
        off_s = shown.created_s - now_ns / 1e9
        if not -self._skew_s_max - 1 < off_s < self._skew_s_max:
            how = f"{format_duration(abs(off_s))} {'ahead of' if off_s > 0 else 'behind'}"
            raise self._refusal(
                "clock",
                401,
                f"The clock of {of} is {how} steering's: it signed at {_instant(shown.created_s * 10**9)}, and here it "
                f"is {_instant(now_ns)}; allowed are {self._skew_s_max:g} s",
                "set the clock that is wrong (timedatectl, chronyc tracking); if both are right, the request is old",
            )
        if shown.created_s < self._started_s:
            raise self._refusal(
                "clock",
                401,
                "Signed before this instance of steering started, which cannot know whether it was seen before",
                f"send it anew; if this goes on, the clock of {of} is behind",
            )

    def _public(self, keyid: str, x: str) -> Ed25519PublicKey:
        public = self._keys.get(x)
        if public is None:
            if len(self._keys) >= KEYS_KEPT_MAX:
                self._keys.clear()
            public = self._keys[x] = read_public(x)
        return public

    def _refusal(self, why: str, status: int, title: str, remedy: str) -> Refusal:
        self._counts.add(f"steering_signatures_refused:{why}")
        return Refusal(status, title, remedy=remedy)


def _instant(at_ns: int) -> str:
    return f"{utc_of(at_ns):%Y-%m-%dT%H:%M:%SZ}"
