"""What a soaked box is supplied with: a catalogue that turns over for ever, its plan, and an origin with its faults."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

import msgspec
from aiohttp import web

from oca.common.messages import AssetManifest, FillSource, ReportAnswer
from tests.provider import Provider, begin_body

ASSETS = 24
VERSIONS = 2
PLANNED = 12
"""Assets a plan names, 60 MB; two devices take 16."""
STEP = 2
STEP_S = 4.0
OBJECT_BYTES = (1_500_000, 600_000, 2_500_000, 5, 300_000)
PIECE_BYTES = 65_536
CUT_SHARE, LIE_SHARE = 0.02, 0.02


class Catalogue:
    """The bodies of every object in each of its versions; made when asked for, the same ones again."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self.body = lru_cache(maxsize=64)(self._body)

    def paths(self, asset: str) -> list[str]:
        return [f"/{asset}/seg-{number}.m4s" for number in range(len(OBJECT_BYTES))]

    def digests(self) -> dict[str, list[str]]:
        """SHA-256 of each version of every object, by path."""
        return {
            path: [hashlib.sha256(self._body(path, version)).hexdigest() for version in range(VERSIONS)]
            for number in range(ASSETS)
            for path in self.paths(asset_of(number))
        }

    def _body(self, path: str, version: int) -> bytes:
        size = OBJECT_BYTES[int(path.rpartition("-")[2].partition(".")[0])]
        return random.Random(f"{self._seed} {path} {version}").randbytes(size)


def asset_of(number: int) -> str:
    return f"title-{number % ASSETS}/video"


class Supply(Provider):
    """Steering and origin of one box. The plan moves on by two assets every few seconds, and after a lap of the
    catalogue the same assets come again in another version.
    """

    def __init__(self, host: str, catalogue: Catalogue, dice: random.Random, now_s: Callable[[], float]) -> None:
        super().__init__(host)
        self.peer_url = ""
        self.standing_still = False
        self.faults = 0
        self._catalogue = catalogue
        self._dice = dice
        self._now_s = now_s
        self._position = 0
        self._moved_at_s = now_s()
        self._made: dict[tuple[str, int], AssetManifest] = {}
        assert self.server.app is not None
        self.server.app.router.add_post("/v1/appliances/{id}/report", self._report)

    def assets(self) -> Sequence[str]:
        """What is planned; asked once a fill, so that is when it moves."""
        if self._now_s() >= self._moved_at_s + STEP_S and not self.standing_still:
            self._position, self._moved_at_s = self._position + STEP, self._now_s()
        return [asset_of(self._position + number) for number in range(PLANNED)]

    def version(self, asset: str) -> int:
        """Of the lap that the plan's last mention of the asset belongs to."""
        last = self._position + PLANNED - 1
        number = int(asset.partition("/")[0].rpartition("-")[2])
        return (last - number) // ASSETS % VERSIONS

    def objects(self, asset: str) -> Mapping[str, bytes]:
        version = self.version(asset)
        return {path: self._catalogue.body(path, version) for path in self._catalogue.paths(asset)}

    def manifest(self, asset: str) -> AssetManifest:
        key = asset, self.version(asset)
        if key not in self._made:
            self._made[key] = super().manifest(asset)
        peer = [FillSource(kind="peer", url=self.peer_url)] if self.peer_url else []
        return msgspec.structs.replace(self._made[key], sources=[*peer, *self._made[key].sources])

    async def send(self, request: web.Request) -> web.StreamResponse:
        """An object; now and then it ends early, and now and then a byte of it is wrong."""
        asset = request.path[1:].rpartition("/")[0]
        body = self.objects(asset).get(request.path)
        if body is None:
            raise web.HTTPNotFound
        start = request.http_range.start or 0
        chance = self._dice.random()
        if CUT_SHARE <= chance < CUT_SHARE + LIE_SHARE and start < len(body):
            body = body[:-1] + bytes([body[-1] ^ 1])
        end = start + self._dice.randrange(len(body) - start + 1) if chance < CUT_SHARE else len(body)
        self.faults += chance < CUT_SHARE + LIE_SHARE
        response = await begin_body(request, len(body), start)
        try:
            for place in range(start, end, PIECE_BYTES):
                await response.write(body[place : min(place + PIECE_BYTES, end)])
        except ConnectionError:
            return response
        if end < len(body) and request.transport is not None:
            request.transport.abort()
        return response

    async def _report(self, request: web.Request) -> web.Response:
        demand = (await request.json()).get("demand") or {}
        answer = ReportAnswer(contents_wanted=False, demand_sequence=demand.get("sequence"))
        return web.Response(body=msgspec.json.encode(answer), content_type="application/json")

    async def _progress(self, request: web.Request) -> web.Response:
        del self.progress[:-1]  # an hour of it is of no use
        return await super()._progress(request)
