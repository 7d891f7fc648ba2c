"""Steering as benchmarks of the fill need it: says what a plan says, and notes progress."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence

import msgspec
from aiohttp import web
from aiohttp.test_utils import TestServer

from oca.common.digest import digest_hex, revision_of
from oca.common.messages import AssetManifest, FillPlan, FillSource, ObjectDescription, PlannedAsset


class Steering:
    """Tells a plan and its manifests, and notes progress."""

    def __init__(self, address: str, *, commits: int = 0) -> None:
        self._commits = commits
        self.plan = b""
        self.manifests: dict[str, AssetManifest] = {}
        self.reached = asyncio.Event()
        application = web.Application()
        application.router.add_get("/v1/appliances/{id}/fill-plan", self._plan)
        application.router.add_get("/v1/appliances/{id}/assets/{asset:.+}", self._manifest)
        application.router.add_post("/v1/appliances/{id}/fill-progress", self._progress)
        self.server = TestServer(application, host=address)

    def offer(self, planned: Sequence[PlannedAsset]) -> None:
        """Plan these assets."""
        plan = FillPlan(plan="c" * 32, appliance="fra1-a", made_at_ns=1, capacity_bytes=10**13, assets=list(planned))
        self.plan = msgspec.json.encode(plan)

    async def _plan(self, _request: web.Request) -> web.Response:
        return web.Response(body=self.plan, content_type="application/json")

    async def _manifest(self, request: web.Request) -> web.Response:
        asset = request.match_info["asset"]
        body = msgspec.json.encode(self.manifests.get(asset) or small_manifest(asset))
        return web.Response(body=body, content_type="application/json")

    async def _progress(self, request: web.Request) -> web.Response:
        if json.loads(await request.read())["assets_done"] >= self._commits:
            self.reached.set()
        return web.Response(status=204)


def small_manifest(asset: str) -> AssetManifest:
    """An asset of one empty object, which nobody is asked for."""
    empty = ObjectDescription(path=f"/{asset}/0", bytes=0, digest=digest_hex(b""), media_type="video/mp4")
    return AssetManifest(
        asset=asset,
        revision=revision_of_empty(asset),
        bytes=0,
        modified_at_ns=1,
        objects=[empty],
        sources=[FillSource(kind="origin", url="http://127.0.0.1:9")],
    )


def revision_of_empty(asset: str) -> str:
    """The revision that such an asset is named by."""
    return revision_of([(f"/{asset}/0", digest_hex(b""))])
