"""Sources that behave and misbehave, assets to fetch from them, and a steering double, for the fill agent's tests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path

import aiohttp
import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from fill.http import new_session
from oca.common.digest import digest_hex, revision_of
from oca.common.messages import AssetManifest, FillPlan, FillProgress, FillSource, ObjectDescription, PlannedAsset

Behaviour = Callable[[web.Request, bytes], Awaitable[web.StreamResponse]]


async def behave(request: web.Request, body: bytes) -> web.StreamResponse:
    """As a good origin does, ranges included."""
    wanted = request.http_range
    if wanted.start is None:
        return web.Response(body=body)
    part = body[wanted]
    last = wanted.start + len(part) - 1
    return web.Response(status=206, body=part, headers={"Content-Range": f"bytes {wanted.start}-{last}/{len(body)}"})


class Source:
    """One HTTP source over ``files``; its behaviour can be changed, and it remembers what it was asked and sent."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.files = dict(files)
        self.behaviour: Behaviour = behave
        self.requests: list[tuple[str, str]] = []
        self.server: TestServer | None = None
        self.released = asyncio.Event()

    async def start(self) -> None:
        application = web.Application()
        application.router.add_get("/{path:.*}", self._answer)
        self.server = TestServer(application, host="127.0.0.1")
        await self.server.start_server(shutdown_timeout=0.1)

    async def close(self) -> None:
        self.released.set()
        if self.server is not None:
            await self.server.close()

    @property
    def url(self) -> str:
        assert self.server is not None
        return f"http://127.0.0.1:{self.server.port}"

    def as_source(self, kind: str = "origin") -> FillSource:
        return msgspec.convert({"kind": kind, "url": self.url}, FillSource)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.requests.append((request.path, request.headers.get("Range", "")))
        body = self.files.get(request.path)
        if body is None:
            return web.Response(status=404)
        return await self.behaviour(request, body)


def make_files(asset: str, sizes: list[int]) -> dict[str, bytes]:
    """Objects of these sizes under paths of the asset."""
    return {
        f"/{asset}/seg-{number}.m4s": bytes((number + place * 7) % 251 for place in range(size))
        for number, size in enumerate(sizes)
    }


def make_manifest(asset: str, files: Mapping[str, bytes], sources: list[FillSource]) -> AssetManifest:
    """The manifest of these objects."""
    objects = [
        ObjectDescription(path=path, bytes=len(body), digest=digest_hex(body), media_type="video/mp4")
        for path, body in files.items()
    ]
    return AssetManifest(
        asset=asset,
        revision=revision_of([(entry.path, entry.digest) for entry in objects]),
        bytes=sum(entry.bytes for entry in objects),
        modified_at_ns=1_700_000_000_000_000_000,
        objects=objects,
        sources=sources,
    )


def make_plan(*manifests: AssetManifest, appliance: str = "fra1-a") -> FillPlan:
    """A plan that wants these assets, in this order."""
    return FillPlan(
        plan="c" * 32,
        appliance=appliance,
        made_at_ns=1,
        capacity_bytes=10**9,
        assets=[
            PlannedAsset(asset=m.asset, revision=m.revision, bytes=m.bytes, popularity=1.0, why="popular")
            for m in manifests
        ],
    )


class SteeringDouble:
    """Speaks the fill side of steering's API with the real messages."""

    def __init__(self) -> None:
        self.plan: FillPlan | None = None
        self.manifests: dict[str, AssetManifest] = {}
        self.progress: list[FillProgress] = []
        self.tokens: list[str] = []
        self.answer: Callable[[web.Request], web.Response | None] = lambda _: None
        self.server: TestServer | None = None

    async def start(self) -> None:
        application = web.Application()
        application.router.add_get("/v1/appliances/{id}/fill-plan", self._plan)
        application.router.add_get("/v1/appliances/{id}/assets/{asset:.+}", self._manifest)
        application.router.add_post("/v1/appliances/{id}/fill-progress", self._progress)
        self.server = TestServer(application, host="127.0.0.1")
        await self.server.start_server(shutdown_timeout=0.1)

    async def close(self) -> None:
        if self.server is not None:
            await self.server.close()

    @property
    def url(self) -> str:
        assert self.server is not None
        return f"http://127.0.0.1:{self.server.port}"

    def offer(self, *manifests: AssetManifest) -> FillPlan:
        """Plan these assets."""
        self.manifests.update({manifest.asset: manifest for manifest in manifests})
        self.plan = make_plan(*manifests)
        return self.plan

    async def _plan(self, request: web.Request) -> web.Response:
        self.tokens.append(request.headers.get("Authorization", ""))
        return self.answer(request) or _json(self.plan)

    async def _manifest(self, request: web.Request) -> web.Response:
        other = self.answer(request)
        if other is not None:
            return other
        manifest = self.manifests.get(request.match_info["asset"])
        return _json(manifest) if manifest is not None else web.Response(status=404)

    async def _progress(self, request: web.Request) -> web.Response:
        self.progress.append(msgspec.json.decode(await request.read(), type=FillProgress))
        return self.answer(request) or web.Response(status=204)


def _json(value: object) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), content_type="application/json")


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with new_session() as opened:
        yield opened


@pytest.fixture
async def new_source() -> AsyncIterator[Callable[[Mapping[str, bytes]], Awaitable[Source]]]:
    started: list[Source] = []

    async def start(files: Mapping[str, bytes]) -> Source:
        source = Source(files)
        await source.start()
        started.append(source)
        return source

    yield start
    for source in started:
        await source.close()


@pytest.fixture
async def steering() -> AsyncIterator[SteeringDouble]:
    double = SteeringDouble()
    await double.start()
    yield double
    await double.close()


@pytest.fixture
def device(tmp_path: Path) -> Path:
    folder = tmp_path / "nvme0"
    folder.mkdir()
    return folder
