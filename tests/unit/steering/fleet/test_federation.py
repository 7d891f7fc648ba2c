"""Several services on one wire that the test holds: what one hears all know, and a cut is no loss."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from demo.process import becomes_true
from oca.common.clock import monotonic_s
from steering.fleet.federation import NOTICED_S
from steering.fleet.fleet_copy import FleetCopy
from steering.service import Service
from steering.settings import SteeringSettings
from steering.state.embedded import EmbeddedState
from steering.state.peers import Link, Told, Topic
from steering.titles.publish import publish
from tests.unit.steering.api_client import TITLE, Steering
from tests.unit.steering.made_up import make_contents, make_progress, make_report, make_settings, revision
from tests.unit.steering.routes_made_up import NEAR, Box


class Wire:
    """Carries what instances tell each other, unless it is cut."""

    def __init__(self) -> None:
        self.ends: list[WireEnd] = []
        self.is_cut = False
        self.since_s = 0.0

    def cut(self) -> None:
        self.is_cut, self.since_s = True, monotonic_s()

    def mend(self) -> None:
        self.is_cut, self.since_s = False, monotonic_s()


class WireEnd:
    """A ``Peers`` on the wire."""

    def __init__(self, wire: Wire, instance: str) -> None:
        self.instance = instance
        self._wire = wire
        self._takers: dict[Topic, Callable[[Told], None]] = {}
        wire.ends.append(self)

    def tell(self, topic: Topic, body: bytes, *, about: str = "") -> None:
        if not self._wire.is_cut:
            for end in self._wire.ends:
                if end is not self:
                    end.hear(topic, Told(self.instance, body, 0.0))

    def hear(self, topic: Topic, told: Told) -> None:
        if topic in self._takers:
            self._takers[topic](told)

    def listen(self, topic: Topic, take: Callable[[Told], None]) -> None:
        self._takers[topic] = take

    def begin(self) -> None:
        """Every end hears from its start."""

    def link(self) -> Link:
        return Link(not self._wire.is_cut, self._wire.since_s, "cut by the test" if self._wire.is_cut else "")


def instance(state: EmbeddedState, settings: SteeringSettings, end: WireEnd, copy: FleetCopy | None = None) -> Steering:
    """A service on the wire."""
    return Steering(state, settings, service=Service(settings, state, end, copy))


QUICK = make_settings(
    fleet=replace(make_settings().fleet, report_interval_s=0.6, missed_reports_max=2, report_grace_s=0.3)
)


class Hands:
    """Those of the clock, which the test moves on."""

    time, time_ns = staticmethod(time.time), staticmethod(time.time_ns)

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def monotonic(self) -> float:
        return time.monotonic() + self.ahead_s


@pytest.fixture
def hands(monkeypatch: pytest.MonkeyPatch) -> Hands:
    made = Hands()
    monkeypatch.setattr("oca.common.clock.time", made)
    monkeypatch.setattr("steering.fleet.federation.COPY_S", 0.05)
    return made


def is_held(instance: Steering) -> bool:
    """Whether metro-a stands as last known from another instance."""
    return instance.service.decider.fleet.members["metro-a"].is_held


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
async def two(state: EmbeddedState, wire: Wire, package: Path) -> AsyncIterator[tuple[Steering, Steering]]:
    publish(package, TITLE, state, progress=lambda done, total: None)
    async with instance(state, QUICK, WireEnd(wire, "a")) as a, instance(state, QUICK, WireEnd(wire, "b")) as b:
        yield a, b


async def told(instance: Steering, sequence: int = 1, **changes: Any) -> dict[str, object]:
    """Have metro-a report to an instance; its answer."""
    async with await instance.report(make_report(sequence=sequence, **changes)) as response:
        answer: dict[str, object] = await response.json()
        return answer


async def ways(instance: Steering) -> list[str]:
    _, answer = await instance.playback()
    return [way["pathway"] for way in answer["pathways"]]


async def test_what_one_instance_hears_all_know(two: tuple[Steering, Steering]) -> None:
    a, b = two
    revisions = {asset.asset: asset.revision for asset in a.service.decider.catalogue.assets.values()}
    await told(a, contents=make_contents(revisions))
    assert await ways(b) == ["metro-a", "origin"]
    async with a.client.post("/v1/appliances/metro-a/fill-progress", json=_as_json(make_progress())) as response:
        assert response.status == 204
    assert b.service.decider.fleet.members["metro-a"].fill is not None
    await told(b)
    assert b.service.decider.counts.values["steering_reports:stale"] == 1  # heard already
    assert await becomes_true(lambda: len(b.service._federation.instances()) == 2, 5)
    health = await b.get("/health")
    assert set(health["instances"]) == {"a", "b"}


async def test_list_that_an_instance_lacks_is_asked_for_by_the_one_that_hears_the_box(
    state: EmbeddedState, wire: Wire, package: Path
) -> None:
    publish(package, TITLE, state, progress=lambda done, total: None)
    async with instance(state, QUICK, WireEnd(wire, "a")) as a:
        contents = make_contents({asset.asset: asset.revision for asset in a.service.decider.catalogue.assets.values()})
        assert not (await told(a, contents=contents))["contents_wanted"]
        async with instance(state, QUICK, WireEnd(wire, "late")) as late:
            unlisted = replace(contents, assets=None)
            assert (await told(a, 2, contents=unlisted))["contents_wanted"]
            assert await ways(late) == ["origin", "origin-retry"]
            assert not (await told(a, 3, contents=contents))["contents_wanted"]
            assert await ways(late) == ["metro-a", "origin"]


async def test_routes_told_to_one_instance_steer_at_all_and_a_late_one_gets_them_whole(
    two: tuple[Steering, Steering], state: EmbeddedState, wire: Wire
) -> None:
    a, b = two
    box = Box("metro-a")

    async def routes(announced: dict[str, object], *, whole: bool = False) -> bool:
        body = _as_json(box.batch(announced, whole=whole))  # type: ignore[arg-type]
        async with a.client.post("/v1/appliances/metro-a/routes", json=body) as response:
            return bool((await response.json())["full_wanted"])

    def digest_at(instance: Steering) -> str:
        return instance.service.decider.reach.heard["metro-a"].digest_hex

    assert not await routes({"45.1.0.0/16": NEAR})
    assert await becomes_true(lambda: digest_at(b) == box.digest, 5)
    async with instance(state, QUICK, WireEnd(wire, "late")) as late:
        assert (await told(a, 1, routes=box.digest))["routes_wanted"]
        assert await routes({})
        assert not await routes({}, whole=True)
        assert await becomes_true(lambda: digest_at(late) == digest_at(b) == digest_at(a) == box.digest, 5)


@pytest.mark.interpreted("the clock's own time is set ahead")
async def test_instance_that_is_cut_off_goes_on_from_what_it_last_knew_and_says_so(
    two: tuple[Steering, Steering], wire: Wire, hands: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = two
    contents = make_contents({asset.asset: asset.revision for asset in a.service.decider.catalogue.assets.values()})
    await told(a, contents=contents)
    wire.cut()
    hands.ahead_s += b.service.decider.fleet.age_limit_s + 0.1
    assert await becomes_true(lambda: is_held(b), 5)
    judged: list[str] = []
    with monkeypatch.context() as patched:
        patched.setattr(b.service.decider, "heard", judged.append)
        b.service._federation.hold(monotonic_s())
    assert judged == []  # nothing about it has changed since
    _, answer = await b.playback()
    assert [way["pathway"] for way in answer["pathways"]] == ["metro-a", "origin"]
    assert "as last known from another instance" in answer["pathways"][0]["why"]
    assert await ways(a) == ["origin", "origin-retry"]  # what it hears itself, it judges as ever
    (reason,) = [each for each in b.service.faults() if "shared state" in each]
    assert re.search(r"away for \d+ s \(cut by the test\); 1 appliances as last known from others", reason)
    metrics = await (await b.client.get("/metrics")).text()
    assert "oca_steering_state_connected 0.0" in metrics
    wire.mend()
    await told(a, 2, contents=replace(contents, assets=None))
    _, answer = await b.playback()
    assert "as last known" not in answer["pathways"][0]["why"]
    assert not b.service.faults()


@pytest.mark.interpreted("the clock's own time is set ahead")
async def test_box_that_does_not_come_back_after_a_cut_is_gone(
    two: tuple[Steering, Steering], wire: Wire, hands: Hands
) -> None:
    a, b = two
    await told(a, contents=make_contents({}))
    wire.cut()
    hands.ahead_s += NOTICED_S + 0.1
    assert await becomes_true(lambda: is_held(b), 5)
    wire.mend()
    assert b.service.decider.liveness("metro-a").standing == "up"
    assert await becomes_true(lambda: not b.service.faults(), 5)
    hands.ahead_s += b.service.decider.fleet.age_limit_s + 0.1
    assert await becomes_true(lambda: b.service.decider.liveness("metro-a").standing == "gone", 5)


@pytest.mark.interpreted("the clock's own time is set ahead")
async def test_instance_that_starts_cut_off_begins_with_what_it_knew_before(
    state: EmbeddedState, wire: Wire, package: Path, tmp_path: Path, hands: Hands
) -> None:
    publish(package, TITLE, state, progress=lambda done, total: None)
    copy = FleetCopy.open(tmp_path / "fleet")
    async with instance(state, QUICK, WireEnd(wire, "a")) as a, instance(state, QUICK, WireEnd(wire, "b"), copy) as b:
        contents = make_contents({asset.asset: asset.revision for asset in b.service.decider.catalogue.assets.values()})
        await told(a, 1, contents=contents)
        await told(a, 2, contents=replace(contents, assets=None))
        assert await becomes_true(lambda: len(list(copy.reports())) == 2, 5)
    copy.close()
    wire.cut()
    again = FleetCopy.open(tmp_path / "fleet")
    async with instance(state, QUICK, WireEnd(wire, "b"), again) as b:
        assert await becomes_true(lambda: is_held(b), 5)
        hands.ahead_s += b.service.decider.fleet.age_limit_s + 0.1
        assert await becomes_true(lambda: b.service.decider.liveness("metro-a").standing == "up", 5)
        assert await ways(b) == ["metro-a", "origin"]
    again.close()


async def test_instance_leaves_out_what_it_cannot_know_or_understand(
    two: tuple[Steering, Steering], wire: Wire, capsys: pytest.CaptureFixture[str]
) -> None:
    _, b = two
    stranger = WireEnd(wire, "stranger")
    for topic in ("reports", "contents", "progress", "routes", "wanted"):
        stranger.tell(topic, b"\xc1")
    await told(b, 1, contents=make_contents({}))
    assert b.service.decider.liveness("metro-a").standing == "up"
    heard = b.service.decider.fleet.members["metro-a"].report
    assert heard is not None
    assert heard.boot_id == revision("boot")
    assert capsys.readouterr()


def _as_json(message: object) -> object:
    return msgspec.to_builtins(message)
