from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from msgspec.structs import replace

from oca.common.messages import FillPlan
from steering.catalogue import Catalogue, write_title
from steering.demand import fold
from steering.history.log import listed
from steering.history.settings import HistoryTable
from steering.plan_settings import PlanTable
from steering.plan_store import PlanStore
from steering.planner import (
    compute_plans,
    last_planning,
    make_plans,
    next_planning,
    planned_at_ns,
)
from steering.settings import SteeringSettings
from steering.state.embedded import EmbeddedState
from tests.unit.steering import made_up
from tests.unit.steering.made_up import DAY_NS, NOW_NS, daily_bytes, make_batch, make_settings, make_title, revision

LOW, HIGH, AUDIO, MANIFESTS = (f"harbour/{part}" for part in ("video-240p", "video-1080p", "audio-en", "manifests"))


@pytest.fixture
def planned(state: EmbeddedState) -> Callable[..., EmbeddedState]:
    """State with a title, capacities and demand."""

    def make(*, capacity: int = 10**6, **demand: tuple[int, int]) -> EmbeddedState:
        with state.write() as transaction:
            write_title(transaction, make_title(), [])
            for appliance in ("metro-a", "region-a"):
                transaction.put(f"capacity/{appliance}", str(capacity).encode())
            batch = make_batch(0, epoch="boot", at_ns=NOW_NS - DAY_NS, **demand)
            fold(transaction, "metro-a", "metro", batch, now_ns=NOW_NS, known={LOW, HIGH})
        return state

    return make


def stored(state: EmbeddedState, appliance: str = "metro-a", site: str = "metro") -> FillPlan | None:
    return PlanStore(state).plan(site, appliance, Catalogue(state))


def made(state: EmbeddedState, settings: SteeringSettings, now_ns: int) -> FillPlan:
    make_plans(state, settings, now_ns=now_ns)
    plan = stored(state)
    assert plan is not None
    return plan


def assets(state: EmbeddedState, appliance: str = "metro-a", settings: SteeringSettings | None = None) -> list[str]:
    settings = settings or make_settings()
    plans = compute_plans(state, settings, settings.site, Catalogue(state), now_ns=NOW_NS)
    return [item.asset for item in plans[appliance].assets]


def test_plans_cover_appliances_whose_capacity_is_known(planned: Callable[..., EmbeddedState]) -> None:
    state = planned()
    assert make_plans(state, make_settings(), now_ns=NOW_NS) == 2
    assert stored(state, "metro-b") is None
    assert stored(state, "region-a", "region") is not None


def test_plan_follows_demand_of_the_site(planned: Callable[..., EmbeddedState]) -> None:
    state = planned(harbour__video_1080p=(9, 900_000), harbour__video_240p=(1, 10))
    assert assets(state) == [MANIFESTS, HIGH, LOW, AUDIO]


def test_plan_of_site_without_history_follows_the_fleet(planned: Callable[..., EmbeddedState]) -> None:
    state = planned(harbour__video_1080p=(9, 900_000))
    assert assets(state, "region-a")[1] == HIGH


def test_planning_moves_no_more_than_nights_have_saved(planned: Callable[..., EmbeddedState]) -> None:
    state = planned(capacity=30_000, harbour__video_1080p=(9, 900_000))
    settings = make_settings(plan=PlanTable(nightly_ratio=0.01, payback_days=0.1))
    first = made(state, settings, NOW_NS)
    assert [item.asset for item in first.assets] == [HIGH]
    with state.write() as transaction:
        batch = make_batch(1, epoch="boot", at_ns=NOW_NS, harbour__video_240p=(10**6, 10**12))
        fold(transaction, "metro-a", "metro", batch, now_ns=NOW_NS, known={LOW, HIGH})
    spare = make_settings(plan=PlanTable(nightly_ratio=1.0, payback_days=0.1))
    assert LOW in assets(state, settings=spare)
    again = made(state, settings, NOW_NS + DAY_NS)
    assert [item.asset for item in again.assets] == [HIGH]


def test_plan_leaves_out_what_does_not_fit(planned: Callable[..., EmbeddedState]) -> None:
    assert HIGH not in assets(planned(capacity=25_000))


def test_stored_plan_names_what_is_published_now(planned: Callable[..., EmbeddedState]) -> None:
    state = planned()
    before = made(state, make_settings(), NOW_NS)
    assert [item.asset for item in before.assets] == [MANIFESTS, AUDIO, HIGH, LOW]
    assert planned_at_ns(state) == NOW_NS
    title = make_title()
    newer = [replace(asset, revision=revision("new")) for asset in title.assets if asset.asset == LOW]
    kept = [asset for asset in title.assets if asset.asset not in (LOW, AUDIO)]
    with state.write() as transaction:
        write_title(transaction, make_title(assets=[*newer, *kept]), [])
    plan = stored(state)
    assert plan is not None
    assert plan.plan != before.plan
    assert {item.asset: item.revision for item in plan.assets}[LOW] == revision("new")
    assert AUDIO not in [item.asset for item in plan.assets]


def test_plans_share_their_names_and_forget_those_of_earlier_nights(planned: Callable[..., EmbeddedState]) -> None:
    state = planned()
    for night in range(2):
        make_plans(state, make_settings(), now_ns=NOW_NS + night * DAY_NS)
        names = [key for key, _ in state.scan("plan-names/")]
        assert len(names) == 1
    with state.write() as transaction:
        write_title(transaction, make_title("quay"), [])
    make_plans(state, make_settings(), now_ns=NOW_NS + 2 * DAY_NS)
    assert [key for key, _ in state.scan("plan-names/")] != names
    store = PlanStore(state)
    assert store.boxes_with("metro", LOW) == ["metro-a"]
    assert store.boxes_with("metro", "harbour/none") == []
    assert store.boxes_with("nowhere", LOW) == []


def test_plan_of_another_release_or_without_its_names_is_none(planned: Callable[..., EmbeddedState]) -> None:
    state = planned()
    make_plans(state, make_settings(), now_ns=NOW_NS)
    with state.write() as transaction:
        transaction.put("plan/region", b"\xc1")
    assert stored(state, "region-a", "region") is None
    assert assets(state, "region-a")
    with state.write() as transaction:
        for key, _ in list(transaction.scan("plan-names/")):
            transaction.delete(key)
    assert stored(state) is None


def test_planning_forgets_demand_past_its_time(planned: Callable[..., EmbeddedState]) -> None:
    state = planned(harbour__video_240p=(1, 10))
    settings = make_settings(history=HistoryTable(path=made_up.history_path, keep_days=28))
    for day, kept in ((26, [NOW_NS // DAY_NS - 1]), (27, [NOW_NS // DAY_NS - 1]), (30, [])):
        make_plans(state, settings, now_ns=NOW_NS + day * DAY_NS)
        assert [each.day for each in listed(state)] == kept
    assert daily_bytes(state) == {}


def test_planning_forgets_nothing_while_clock_may_be_ahead(planned: Callable[..., EmbeddedState]) -> None:
    state = planned(harbour__video_240p=(1, 10))
    make_plans(state, make_settings(), now_ns=NOW_NS)
    make_plans(state, make_settings(), now_ns=NOW_NS + 3650 * DAY_NS)
    make_plans(state, make_settings(), now_ns=NOW_NS + DAY_NS)
    assert listed(state)


def test_planning_time_is_the_clock_on_the_wall() -> None:
    berlin = timezone(timedelta(hours=1))
    before = datetime(2026, 1, 1, 1, 29, 59, tzinfo=berlin)
    assert next_planning("01:30", before) == datetime(2026, 1, 1, 0, 30, tzinfo=UTC)
    assert next_planning("01:30", before + timedelta(seconds=1)) == datetime(2026, 1, 2, 0, 30, tzinfo=UTC)
    assert last_planning("01:30", before) == datetime(2025, 12, 31, 0, 30, tzinfo=UTC)


def test_settings_need_no_folder_to_plan(tmp_path: Path) -> None:
    assert make_settings(tmp_path).state.path == str(tmp_path)
