"""A provider for fills under test: steering's plan and manifests, and an origin with ranges, over real HTTP."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

import msgspec
from aiohttp import web
from aiohttp.test_utils import TestServer

from oca.common.digest import digest_hex, revision_of
from oca.common.messages import AssetManifest, FillPlan, FillProgress, FillSource, ObjectDescription, PlannedAsset


class Provider(ABC):
    """Real messages about what a test has; how objects are sent, and what is counted of it, is the test's own."""

    def __init__(self, host: str) -> None:
        self.progress: list[FillProgress] = []
        application = web.Application()
        application.router.add_get("/v1/appliances/{id}/fill-plan", self._plan)
        application.router.add_get("/v1/appliances/{id}/assets/{asset:.+}", self._manifest)
        application.router.add_post("/v1/appliances/{id}/fill-progress", self._progress)
        application.router.add_get("/{path:.+}", self.send)
        self.server = TestServer(application, host=host)

    @property
    def url(self) -> str:
        return f"http://{self.server.host}:{self.server.port}"

    @abstractmethod
    def assets(self) -> Sequence[str]:
        """What is planned."""

    @abstractmethod
    def objects(self, asset: str) -> Mapping[str, bytes]:
        """The bodies of an asset by path."""

    @abstractmethod
    async def send(self, request: web.Request) -> web.StreamResponse:
        """Answer for an object."""

    def manifest(self, asset: str) -> AssetManifest:
        objects = [
            ObjectDescription(path=path, bytes=len(body), digest=digest_hex(body), media_type="video/mp4")
            for path, body in self.objects(asset).items()
        ]
        return AssetManifest(
            asset=asset,
            revision=revision_of([(entry.path, entry.digest) for entry in objects]),
            bytes=sum(entry.bytes for entry in objects),
            modified_at_ns=1_700_000_000_000_000_000,
            objects=objects,
            sources=[FillSource(kind="origin", url=self.url)],
        )

    async def _plan(self, request: web.Request) -> web.Response:
        planned = [
            PlannedAsset(asset=made.asset, revision=made.revision, bytes=made.bytes, popularity=1.0, why="popular")
            for made in map(self.manifest, self.assets())
        ]
        plan = FillPlan(
            plan="c" * 32, appliance=request.match_info["id"], made_at_ns=1, capacity_bytes=10**9, assets=planned
        )
        return web.Response(body=msgspec.json.encode(plan), content_type="application/json")

    async def _manifest(self, request: web.Request) -> web.Response:
        body = msgspec.json.encode(self.manifest(request.match_info["asset"]))
        return web.Response(body=body, content_type="application/json")

    async def _progress(self, request: web.Request) -> web.Response:
        self.progress.append(msgspec.json.decode(await request.read(), type=FillProgress))
        return web.Response(status=204)


async def begin_body(request: web.Request, size: int, start: int) -> web.StreamResponse:
    """Send the head of an answer with a body of ``size`` bytes, from ``start`` on."""
    headers = {"Content-Length": str(size - start)}
    if "Range" in request.headers:
        headers["Content-Range"] = f"bytes {start}-{size - 1}/{size}"
    response = web.StreamResponse(status=206 if "Range" in request.headers else 200, headers=headers)
    await response.prepare(request)
    return response
