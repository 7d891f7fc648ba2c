"""Three instances of steering on a NATS cluster of three, real appliances: an instance dies, then the engine does.

Viewers are answered throughout; what they watched is counted once, to the byte.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from demo.compare import packaged_segments
from demo.places import Instance, Places
from demo.studio import Studio
from demo.system import System
from demo.titles import films
from oca.common.clock import monotonic_s
from oca.common.threads import in_thread
from steering.fleet.fleet_copy import FleetCopy
from steering.settings import load_settings
from steering.state.engine import open_state
from steering.state.settings import StateTable
from tests.waiting import WAIT_S

pytestmark = [pytest.mark.system, pytest.mark.long, pytest.mark.asyncio(loop_scope="session")]

NETWORK = "127.0.103"
GONE_S = 5.5
"""Longer than reports may be old, 4.5 s: who still answers with appliances after it does so on purpose."""
CATCH_UP_S = WAIT_S
COUNTS = 60


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def federation(studio: Studio, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[System]:
    """One film on three appliances at two sites."""
    chosen = films(1)
    recipes = {film.title: studio.key(film) for film in chosen}
    places = Places(NETWORK, tmp_path_factory.mktemp("federation"), "nats")
    system = System(places, studio.library, chosen, recipes, workers=1)
    try:
        await system.start()
        await system.publish(lambda _done, _more="": None)
        await system.plan()
        await system.fill(lambda _done, _more="": None)
        await system.playable()
        yield system
    finally:
        await system.stop()


class Viewer:
    """Asks an instance for each segment anew, fetches it from the first pathway, and counts."""

    def __init__(self, system: System, library: Path) -> None:
        self.system = system
        self.title = system.films[0].title
        self.segments = packaged_segments(library, self.title)["video"]
        self.bytes = 0
        self.asked = 0

    async def watch(self, *instances: Instance, for_s: float = 0.0) -> dict[str, Any]:
        """A segment by each instance, again and again for so long; the last answer."""
        until_s, answer = monotonic_s() + for_s, {}
        while True:
            for instance in instances:
                answer = await self.system.playback(self.title, at=instance)
                first = answer["pathways"][0]
                assert first["pathway"] != "origin", (instance.name, answer)
                self.bytes += await self._fetch(answer, first["url"])
                self.asked += 1
            if monotonic_s() >= until_s:
                return answer
            await asyncio.sleep(0.2)

    async def _fetch(self, answer: dict[str, Any], appliance: str) -> int:
        segment = self.segments[self.asked % len(self.segments)].rpartition("/")[2]
        urls = [url for urls in answer["assets"].values() for url in urls if url.startswith(appliance)]
        async with self.system.session.get(f"{urls[0].rpartition('/')[0]}/{segment}") as response:
            assert response.status == 200, await response.text()
            return len(await response.read())


async def counted(system: System, instance: Instance) -> int:
    """All demand that an instance has a copy of, in bytes."""
    table = load_settings(system.instance_config(instance)).state

    def read() -> int:
        state = open_state(table)
        try:
            return sum(msgspec.msgpack.decode(value)[1] for _, value in state.scan("demand/"))
        finally:
            state.close()

    return await in_thread(read, name="demand")


async def reasons(system: System, instance: Instance) -> str:
    return "; ".join((await system.ask("/health", at=instance))["reasons"])


async def settled(system: System, instance: Instance, wanted: int) -> None:
    until_s = monotonic_s() + CATCH_UP_S
    while (found := await counted(system, instance)) != wanted and monotonic_s() < until_s:  # noqa: ASYNC110
        await asyncio.sleep(0.2)
    assert found == wanted, instance.name


async def copied(system: System, instance: Instance) -> None:
    """Until the instance has on its own disk what each appliance holds: there it begins while the engine is away."""
    folder = Path(load_settings(system.instance_config(instance)).state.path) / "fleet"

    def held() -> bool:
        copy = FleetCopy.open(folder)
        try:
            listed = [report for report in copy.reports() if report.contents.assets]
        finally:
            copy.close()
        return {report.appliance for report in listed} == {one.id for one in system.places.appliances}

    async def have() -> bool:
        return await in_thread(held, name="copy")

    await system.until(f"{instance.name} has a copy of the fleet", have, CATCH_UP_S)


async def page_says(browser: Browser, instance: Instance, what: str) -> None:
    page = await browser.new_page()
    await page.route("**/r/**", lambda route: route.abort())  # posters would be demand
    await page.goto(instance.url)
    await expect(page.locator("#health")).to_contain_text(what, timeout=10_000)
    await page.close()


async def test_instance_and_then_the_engine_die_and_nothing_is_lost(
    federation: System, studio: Studio, browser: Browser
) -> None:
    system = federation
    first, second, third = system.places.instances
    viewer = Viewer(system, studio.library)
    before = await counted(system, third)

    await viewer.watch(first, second, third)
    await settled(system, third, before + viewer.bytes)

    await copied(system, first)
    system.processes.pop(first.name).kill()  # all appliances report there
    await viewer.watch(second, third, for_s=GONE_S)

    async def all_report() -> bool:
        rows = (await system.ask("/v1/fleet", at=third))["appliances"]
        return all(row["up"] and row["report_age_s"] < 4.5 for row in rows)

    await system.until("all appliances report to the others", all_report, CATCH_UP_S)
    await settled(system, second, before + viewer.bytes)

    for number in range(3):
        system.processes.pop(f"nats-{number + 1}").kill()
    cut_at_s = monotonic_s()
    await viewer.watch(second, third)
    system.start_instance(first)
    await system._answers(first.name, f"{first.url}/health")
    await viewer.watch(first, second, third, for_s=max(0.5, cut_at_s + GONE_S - monotonic_s()))
    for instance in (first, second, third):
        assert "the shared state has been away for" in await reasons(system, instance)
        async with system.session.get(f"{instance.url}/metrics") as response:
            assert "oca_steering_state_connected 0.0" in await response.text()
    await page_says(browser, third, "the shared state has been away for")
    answers = [await system.playback(viewer.title, at=instance) for instance in (first, second, third)]
    held = [answer["pathways"][0]["why"] for answer in answers]
    assert any("as last known from another instance" in why for why in held), held
    assert len({answer["pathways"][0]["pathway"] for answer in answers}) == 1, answers  # the same state: the same one
    uncounted = before + viewer.bytes - await counted(system, third)
    assert uncounted > 0  # it waits on the boxes

    for number in range(3):
        system.start_nats(number)
    for instance in (first, second, third):

        async def caught_up(instance: Instance = instance) -> bool:
            return "shared state" not in await reasons(system, instance)

        await system.until(f"{instance.name} has caught up", caught_up, CATCH_UP_S)
    await viewer.watch(first, second, third)
    for instance in (first, second, third):
        await settled(system, instance, before + viewer.bytes)
    await system.until("all have met", lambda: system._all_met(third), CATCH_UP_S)


async def test_writes_of_several_instances_at_once_are_none_lost(federation: System) -> None:
    """On a real cluster: its own check lets two writers through at times, and the log must not."""
    tables = [load_settings(federation.instance_config(each)).state for each in federation.places.instances]

    def count(table: StateTable) -> None:
        state = open_state(table)
        try:
            for _ in range(COUNTS):
                with state.write() as transaction:
                    transaction.put("test/count", str(int(transaction.get("test/count") or b"0") + 1).encode())
        finally:
            state.close()

    def read() -> bytes | None:
        state = open_state(tables[0])
        try:
            return state.get("test/count")
        finally:
            state.close()

    await asyncio.gather(*(in_thread(partial(count, table), name="count") for table in tables))
    assert await in_thread(read, name="read") == str(COUNTS * len(tables)).encode()
