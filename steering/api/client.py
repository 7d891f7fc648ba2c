"""Steering's API for programs in Python: typed questions, typed answers, one named error.

    async with SteeringClient("https://steering.example", token=token) as steering:
        answer = await steering.playback("harbour", client="198.51.100.7")
        print(answer.pathways[0].url, answer.pathways[0].why)

What appliances send is the daemon's own business and not here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import aiohttp
import msgspec

from oca.common.errors import SteeringError
from oca.common.messages import Problem
from oca.common.unreachable import failure
from steering.api.messages import (
    BATCH_MAX,
    BatchAnswer,
    BatchItem,
    BatchRequest,
    Device,
    Explanation,
    FleetView,
    HealthView,
    PlaybackAnswer,
    PlaybackRequest,
    Protocol,
    SteeringAnswer,
    TitlesView,
)
from steering.console.messages import CopiesView
from steering.fleet.drains import DrainEnd, DrainRequest, DrainsView, Scope
from steering.probing.views import ObserversView
from steering.routes.audit import AuditView

ANSWER_BYTES_MAX = 256 * 2**20
TIMEOUT_S = 10.0
_problems = msgspec.json.Decoder(Problem)
_encode = msgspec.json.Encoder().encode
_decoders: dict[Any, msgspec.json.Decoder[Any]] = {}
Answer = TypeVar("Answer")


class RefusedError(SteeringError):
    """Steering answered that it will not, or cannot; ``problem`` says why (RFC 9457)."""

    def __init__(self, problem: Problem) -> None:
        why = f"{problem.title}: {problem.detail}" if problem.detail else problem.title
        super().__init__(f"steering answered {problem.status}: {why}", remedy=problem.remedy or "correct it")
        self.problem = problem


class SteeringClient:
    """One steering service; connections are kept between questions. Not for several event loops.

    Args:
        url: Its base URL, such as ``http://127.0.0.1:8090``.
        token: Of ``oca-steering users token``: lets the caller name clients, ask in batches and look at the fleet.
        timeout_s: For each question.
    """

    def __init__(self, url: str, *, token: str = "", timeout_s: float = TIMEOUT_S) -> None:
        self.url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> SteeringClient:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Let go of its connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=self._timeout, headers=self._headers)
        return self._session

    async def playback(self, title: str, *, client: str = "", device: Device | None = None) -> PlaybackAnswer:
        """Where a viewer gets a title from: ``POST /v1/playback``.

        Args:
            title: Its id.
            client: The viewer's address, if not the caller's is meant; believed of trusted proxies and with a token.
            device: What the player can show; None: everything.

        Raises:
            RefusedError: 403 no rights, 404 no such title, 406 nothing plays on the device, 429 too many requests.
            SteeringError: It cannot be reached, or is not steering.
        """
        return await self._post("/v1/playback", _request(title, client, device), PlaybackAnswer)

    async def playbacks(self, requests: Iterable[PlaybackRequest]) -> list[BatchItem]:
        """Many at once, each with its own answer or problem, in their order; more than 500 go in several batches.

        Raises:
            RefusedError: 401, 403: it takes a token.
            SteeringError: It cannot be reached.
        """
        left, items = list(requests), list[BatchItem]()
        while left:
            now, left = left[:BATCH_MAX], left[BATCH_MAX:]
            items += (await self._post("/v1/playbacks", BatchRequest(requests=now), BatchAnswer)).items
        return items

    async def explain(self, title: str, *, client: str = "") -> Explanation:
        """The whole decision, with every source that lost and why."""
        return await self._get("/v1/explain", {"title": title, "client": client}, Explanation)

    async def manifest(self, title: str, protocol: Protocol, *, client: str = "") -> str:
        """The multivariant playlist or MPD made for a viewer, as text."""
        file = "master.m3u8" if protocol == "hls" else "manifest.mpd"
        body, _ = await self._ask("GET", f"/v1/playback/{title}/{file}", query={"client": client})
        return body.decode()

    async def steer(self, protocol: Protocol, query: Mapping[str, str]) -> SteeringAnswer:
        """What a player is told by content steering; ``query`` as it stands in its manifest's steering URL."""
        return await self._get(f"/steer/{protocol}", query, SteeringAnswer)

    async def redirect(self, path: str, *, client: str = "") -> str:
        """Where the object at ``path`` is to be had from now."""
        _, location = await self._ask("GET", "/r/" + path.lstrip("/"), query={"client": client}, wanted=302)
        return location

    async def titles(self) -> TitlesView:
        """The catalogue, and who holds what."""
        return await self._get("/v1/titles", {}, TitlesView)

    async def copies(self, title: str) -> CopiesView:
        """One title: its assets, and on how many boxes each lies."""
        return await self._get(f"/v1/catalogue/{title}", {}, CopiesView)

    async def fleet(self) -> FleetView:
        """Sites and appliances, how each stands and why."""
        return await self._get("/v1/fleet", {}, FleetView)

    async def observers(self) -> ObserversView:
        """What each instance has seen of the fleet for itself."""
        return await self._get("/v1/observers", {}, ObserversView)

    async def drains(self) -> DrainsView:
        """What operators have taken out of service from steering."""
        return await self._get("/v1/drains", {}, DrainsView)

    async def drain(self, scope: Scope, name: str, *, for_s: int = 0, reason: str = "") -> DrainsView:
        """Send no new viewers to an appliance or a site, for so long or (0) until ``undrain``.

        Raises:
            RefusedError: 404 there is none of that name, 401 or 403 it takes an operator's token.
        """
        return await self._post(
            "/v1/drains", DrainRequest(scope=scope, name=name, for_s=for_s, reason=reason), DrainsView
        )

    async def undrain(self, scope: Scope, name: str) -> DrainsView:
        """Send viewers there again.

        Raises:
            RefusedError: 404 it is not drained from steering.
        """
        return await self._post("/v1/drains/end", DrainEnd(scope=scope, name=name), DrainsView)

    async def health(self) -> HealthView:
        """Whether the service can answer, and what is amiss."""
        return await self._get("/health", {}, HealthView)

    async def route_audit(self) -> AuditView:
        """What is wrong with the routes that appliances hear."""
        return await self._get("/v1/routes/audit", {}, AuditView)

    async def _get(self, path: str, query: Mapping[str, str], kind: type[Answer]) -> Answer:
        body, _ = await self._ask("GET", path, query=query)
        return self._decoded(body, kind)

    async def _post(self, path: str, message: Any, kind: type[Answer]) -> Answer:
        body, _ = await self._ask("POST", path, body=_encode(message))
        return self._decoded(body, kind)

    def _decoded(self, body: bytes, kind: type[Answer]) -> Answer:
        decoder: msgspec.json.Decoder[Answer] = _decoders.setdefault(kind, msgspec.json.Decoder(kind))
        try:
            return decoder.decode(body)
        except msgspec.DecodeError:
            raise self._stranger() from None

    async def _ask(
        self, method: str, path: str, *, query: Mapping[str, str] | None = None, body: bytes = b"", wanted: int = 200
    ) -> tuple[bytes, str]:
        """The answer's body and Location."""
        asking = self._opened().request(
            method,
            self.url + path,
            params={name: value for name, value in (query or {}).items() if value},
            data=body or None,
            headers={"Content-Type": "application/json"} if body else None,
            allow_redirects=False,
        )
        try:
            async with asking as response:
                answer = await _whole(response)
                location = response.headers.get("Location", "")
                status = response.status
        except (aiohttp.ClientError, TimeoutError) as error:
            reason = failure(error) or f"no answer within {self._timeout.total:g} s"
            raise SteeringError(
                f"{self.url} cannot be reached: {reason}",
                remedy="start oca-steering serve there, or name its settings with --config",
            ) from None
        if status != wanted:
            raise self._refused(answer)
        return answer, location

    def _refused(self, body: bytes) -> SteeringError:
        try:
            return RefusedError(_problems.decode(body))
        except msgspec.DecodeError:
            return self._stranger()

    def _stranger(self) -> SteeringError:
        return SteeringError(f"{self.url} is not steering", remedy="check its address: [api] listen in steering.toml")


async def _whole(response: aiohttp.ClientResponse) -> bytes:
    """The body, which ``read(n)`` alone brings only as far as it has come."""
    parts = bytearray()
    async for part in response.content.iter_any():
        parts += part
        if len(parts) > ANSWER_BYTES_MAX:
            raise aiohttp.ClientPayloadError(f"an answer of more than {ANSWER_BYTES_MAX} bytes")
    return bytes(parts)


def _request(title: str, client: str, device: Device | None) -> PlaybackRequest:
    return PlaybackRequest(title=title, client=client, device=device or Device())
