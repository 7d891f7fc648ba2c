from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from msgspec.structs import replace

from oca.common.messages import FillPlan
from steering.history.log import listed
from steering.history.settings import HistoryTable
from steering.plan.counted import Counted
from steering.plan.demand import Wanted, fold
from steering.plan.planner import (
    compute_plans,
    last_planning,
    make_plans,
    next_planning,
    planned_at_ns,
)
from steering.plan.settings import PlanTable
from steering.plan.store import PlanStore
from steering.settings import SteeringSettings
from steering.state.embedded import EmbeddedState
from steering.titles.catalogue import Catalogue, write_title
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


def assets(
    state: EmbeddedState,
    appliance: str = "metro-a",
    settings: SteeringSettings | None = None,
    *,
    now_ns: int = NOW_NS,
) -> list[str]:
    settings = settings or make_settings()
    plans = compute_plans(state, settings, settings.site, Catalogue(state), now_ns=now_ns)
    return [item.asset for item in plans[appliance].assets]


def test_planning_tells_how_far_it_is(planned: Callable[..., EmbeddedState], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("steering.plan.planner.SITES_PER_WRITE", 1)
    told: list[tuple[int, int]] = []
    make_plans(planned(), make_settings(), now_ns=NOW_NS, told=lambda done, total: told.append((done, total)))
    assert told == [(1, 2), (2, 2)]


def test_planning_that_is_killed_leaves_each_site_a_plan(
    planned: Callable[..., EmbeddedState], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("steering.plan.planner.SITES_PER_WRITE", 1)
    state = planned()
    make_plans(state, make_settings(), now_ns=NOW_NS)
    with state.write() as transaction:
        write_title(transaction, make_title("quay"), [])

    def killed(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_plans(state, make_settings(), now_ns=NOW_NS + DAY_NS, told=killed)
    assert planned_at_ns(state) == NOW_NS
    made = [stored(state), stored(state, "region-a", "region")]
    assert [plan.made_at_ns for plan in made if plan is not None] == [NOW_NS + DAY_NS, NOW_NS]


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


def test_plan_comes_to_hold_what_was_missed(planned: Callable[..., EmbeddedState]) -> None:
    state = planned(capacity=8000, harbour__video_240p=(1, 300))  # room for one of the two smallest
    assert assets(state) == [LOW]
    missed = Wanted({AUDIO: Counted(missed=3, missed_bytes=400)})
    with state.write() as transaction:
        batch = make_batch(1, at_ns=NOW_NS - DAY_NS)
        fold(transaction, "metro-a", "metro", batch, now_ns=NOW_NS, known={AUDIO}, wanted=missed)
    assert assets(state) == [AUDIO]


def test_plan_without_any_history_goes_by_release(state: EmbeddedState) -> None:
    old, new = (make_title(name, released_at_ns=NOW_NS - days * DAY_NS) for name, days in (("old", 300), ("new", 3)))
    with state.write() as transaction:
        for each in (old, new):
            assert write_title(transaction, each, []) == []
        transaction.put("capacity/metro-a", b"40000")  # for the media of one of them
    make_plans(state, make_settings(), now_ns=NOW_NS)
    plan = stored(state)
    assert plan is not None
    assert {item.asset for item in plan.assets} == {asset.asset for asset in new.media()}
    assert all(item.popularity < 1e-6 and item.why.startswith("not watched yet") for item in plan.assets)


def test_planning_moves_no_more_than_nights_have_saved(planned: Callable[..., EmbeddedState]) -> None:
    state = planned(capacity=30_000, harbour__video_1080p=(9, 900_000))
    settings = make_settings(plan=PlanTable(nightly_ratio=0.01, payback_days=0.1))
    first = made(state, settings, NOW_NS)
    assert [item.asset for item in first.assets] == [HIGH]
    with state.write() as transaction:
        batch = make_batch(1, epoch="boot", at_ns=NOW_NS, harbour__video_240p=(10**6, 10**12))
        fold(transaction, "metro-a", "metro", batch, now_ns=NOW_NS, known={LOW, HIGH})
    spare = make_settings(plan=PlanTable(nightly_ratio=1.0, payback_days=0.1))
    assert LOW in assets(state, settings=spare, now_ns=NOW_NS + DAY_NS)
    again = made(state, settings, NOW_NS + DAY_NS)
    assert [item.asset for item in again.assets] == [HIGH]


def test_planning_that_is_tried_again_allows_no_moves_beyond_the_nights(
    planned: Callable[..., EmbeddedState], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("steering.plan.planner.SITES_PER_WRITE", 1)
    state, settings = planned(), make_settings()
    make_plans(state, settings, now_ns=NOW_NS)
    with state.write() as transaction:
        transaction.put("allowed/metro", b"0")
    nightly = settings.plan.nightly_ratio * settings.plan.capacity_ratio * 10**6

    def fails(_done: int, _total: int) -> None:
        raise OSError

    def allowed(at_ns: int) -> float:
        with pytest.raises(OSError):  # noqa: PT011
            make_plans(state, settings, now_ns=at_ns, told=fails)
        return int(state.get("allowed/metro") or b"") / nightly

    assert allowed(NOW_NS + DAY_NS) == pytest.approx(1, rel=1e-3)
    for minute in range(1, 4):
        assert allowed(NOW_NS + DAY_NS + minute * DAY_NS // 1440) == pytest.approx(1 + minute / 1440, rel=1e-4)
    assert allowed(NOW_NS + 2 * DAY_NS) == pytest.approx(2, rel=1e-3), "a night is a night, in whatever parts"
    assert allowed(NOW_NS + 5 * DAY_NS) == pytest.approx(3, rel=1e-3), "nights without a plan save nothing"
    assert allowed(NOW_NS) == pytest.approx(4, rel=1e-3), "the clock was ahead"


def test_planning_that_had_to_move_more_than_the_night_may_takes_it_from_later_ones(
    planned: Callable[..., EmbeddedState],
) -> None:
    state, settings = planned(), make_settings()
    make_plans(state, settings, now_ns=NOW_NS)
    nightly = settings.plan.nightly_ratio * settings.plan.capacity_ratio * 10**6
    for before, after in ((-3.0, -2.0), (-90.0, -13.0)):
        with state.write() as transaction:
            transaction.put("allowed/metro", str(int(before * nightly)).encode())
        make_plans(state, settings, now_ns=NOW_NS + DAY_NS)
        assert int(state.get("allowed/metro") or b"") / nightly == pytest.approx(after, rel=1e-3)
        make_plans(state, settings, now_ns=NOW_NS)


def test_half_a_nights_moves_are_chosen_also_after_nights_that_had_to_move_more(
    planned: Callable[..., EmbeddedState],
) -> None:
    state = planned(capacity=30_000, harbour__video_1080p=(9, 900_000))
    first = made(state, make_settings(), NOW_NS)
    assert [item.asset for item in first.assets] == [HIGH]
    with state.write() as transaction:
        batch = make_batch(1, epoch="boot", at_ns=NOW_NS, harbour__video_240p=(10**6, 10**12))
        fold(transaction, "metro-a", "metro", batch, now_ns=NOW_NS, known={LOW, HIGH})
        transaction.put("allowed/metro", b"-10000000")
    for ratio, chosen in ((0.1, HIGH), (2.0, LOW)):
        settings = make_settings(plan=PlanTable(nightly_ratio=ratio, payback_days=0.1))
        assert chosen in assets(state, settings=settings, now_ns=NOW_NS + DAY_NS), ratio


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
