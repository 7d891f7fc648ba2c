"""A whole service behind a test client, with its state and clock at hand."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient, TestServer

from oca.common.messages import Report
from steering.service import Service
from steering.settings import SteeringSettings
from steering.state.embedded import EmbeddedState
from steering.state.peers import Alone
from steering.titles.publish import Publication, publish

JSON = {"Content-Type": "application/json"}
TITLE = Publication("harbour", "Harbour", "/harbour", "", (), 0, 0)


class Steering:
    """One service under test."""

    def __init__(
        self,
        state: EmbeddedState,
        settings: SteeringSettings,
        *,
        just_started: bool = False,
        service: Service | None = None,
    ) -> None:
        """Put it together; unless it has ``just_started``, viewers do not wait for appliances' first reports."""
        self.state = state
        self.service = service or Service(settings, state, Alone())
        if not just_started:
            self.service.first_reports.end()
        self.client: TestClient[Any, Any] = TestClient(TestServer(self.service.app))

    async def __aenter__(self) -> Steering:
        self.service.start_work()
        await self.client.start_server()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.client.close()
        await self.service.stop()

    def publish(self, folder: Path, publication: Publication = TITLE) -> dict[str, str]:
        """Publish a folder; asset → revision."""
        title, _ = publish(folder, publication, self.state, progress=lambda done, total: None)
        self.service.decider.catalogue.refresh()
        return {asset.asset: asset.revision for asset in title.assets}

    async def report(self, report: Report, **options: Any) -> ClientResponse:
        path = f"/v1/appliances/{options.pop('to', report.appliance)}/report"
        headers = JSON | options.pop("headers", {})
        return await self.client.post(path, data=msgspec.json.encode(report), headers=headers, **options)

    @asynccontextmanager
    async def report_and_answer(self, report: Report) -> AsyncIterator[Any]:
        """What a report that is taken is answered."""
        async with await self.report(report) as response:
            assert response.status == 200, await response.text()
            yield await response.json()

    async def get(self, path: str, **options: Any) -> Any:
        """A body that must be there, as JSON."""
        async with self.client.get(path, **options) as response:
            assert response.status == 200, await response.text()
            return await response.json()

    async def playback(self, title: str = "harbour", **fields: Any) -> Any:
        async with self.client.post("/v1/playback", json={"title": title, **fields}) as response:
            return response.status, await response.json()

    async def problem(self, method: str, path: str, **options: Any) -> tuple[int, Any]:
        async with self.client.request(method, path, allow_redirects=False, **options) as response:
            assert response.content_type == "application/problem+json", await response.text()
            return response.status, await response.json()
