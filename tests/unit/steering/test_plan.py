from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from steering.plan import FILLED_AHEAD_NS, Offer, mark_urgent, plan_appliance
from tests.unit.steering.made_up import NOW_NS, revision

GIB = 2**30


def offer(asset: str, size: int = GIB, here: float = 0.0, **changes: object) -> Offer:
    plain = Offer(
        asset=asset,
        kind="video",
        revision=revision(asset),
        bytes=size,
        objects=10,
        released_at_ns=0,
        regions=(),
        site_bytes_per_day=here,
        fleet_bytes_per_day=0.0,
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def names(*offers: Offer, capacity: int = 100 * GIB, region: str = "DE") -> list[str]:
    plan = plan_appliance("metro-a", offers, capacity_bytes=capacity, fill_ratio=1.0, region=region, now_ns=NOW_NS)
    return [item.asset for item in plan.assets]


def test_plan_ranks_by_demand_over_size() -> None:
    assert names(offer("a/big", 4 * GIB, here=8 * GIB), offer("a/small", GIB, here=3 * GIB)) == ["a/small", "a/big"]


def test_plan_adds_fleet_demand() -> None:
    assert names(offer("a/x", here=1.0), offer("b/x", fleet_bytes_per_day=2.0)) == ["b/x", "a/x"]


def test_plan_puts_manifests_first_and_unwatched_last_by_release() -> None:
    assert names(
        offer("old/x", released_at_ns=1),
        offer("new/x", released_at_ns=2),
        offer("new/y", size=5, released_at_ns=2),
        offer("seen/x", here=1.0),
        offer("new/manifests", size=9, kind="manifests"),
    ) == ["new/manifests", "seen/x", "new/y", "new/x", "old/x"]


def test_plan_passes_over_what_does_not_fit() -> None:
    offers = (offer("a/x", 3 * GIB, here=9e9), offer("b/x", 3 * GIB, here=8e9), offer("c/x", GIB, here=1.0))
    assert names(*offers, capacity=5 * GIB) == ["a/x", "c/x"]


def test_plan_bounds_space_of_manifests() -> None:
    manifests = [offer(f"t{number}/manifests", GIB, kind="manifests") for number in range(9)]
    assert len(names(*manifests, capacity=100 * GIB)) == 4


def test_plan_fills_a_day_ahead_of_release_only() -> None:
    soon, later = NOW_NS + FILLED_AHEAD_NS, NOW_NS + FILLED_AHEAD_NS + 1
    assert names(offer("a/x", released_at_ns=soon), offer("b/x", released_at_ns=later)) == ["a/x"]


def test_plan_respects_rights() -> None:
    assert names(offer("a/x", regions=("DE", "FR")), offer("b/x", regions=("US",))) == ["a/x"]
    assert names(offer("a/x", regions=("DE",)), region="") == []


def test_plan_says_why() -> None:
    plan = plan_appliance(
        "metro-a",
        [
            offer("a/x", 2048, here=4096.0, fleet_bytes_per_day=1024.0),
            offer("b/x", released_at_ns=NOW_NS),
            offer("a/manifests", 9, kind="manifests", released_at_ns=NOW_NS),
        ],
        capacity_bytes=9 * GIB,
        fill_ratio=1.0,
        region="",
        now_ns=NOW_NS,
    )
    assert [item.why for item in plan.assets] == [
        "manifests first: not watched yet; released 2024-10-04",
        "4.0 KiB a day expected here, 1.0 KiB by the fleet's taste, over 2.0 KiB",
        "not watched yet; released 2024-10-04",
    ]
    assert plan.assets[1].popularity == 2.5


def test_plan_has_same_digest_for_same_wishes() -> None:
    def digest(*offers: Offer, now_ns: int = NOW_NS) -> str:
        return plan_appliance("metro-a", offers, capacity_bytes=GIB, fill_ratio=1.0, region="", now_ns=now_ns).plan

    one, two = offer("a/x", 10), offer("b/x", 10)
    assert digest(one, two) == digest(two, one, now_ns=NOW_NS + 5)
    assert digest(one, two) != digest(one)
    assert digest(one) != digest(replace(one, revision=revision("other")))


OFFERS = st.lists(
    st.builds(
        offer,
        st.integers(0, 10**6).map(lambda number: f"t/{number}"),
        size=st.integers(1, 10 * GIB),
        here=st.floats(0, 1e15),
        kind=st.sampled_from(["video", "audio", "manifests"]),
        released_at_ns=st.integers(0, 2 * NOW_NS),
        regions=st.sampled_from([(), ("DE",), ("US",)]),
    ),
    max_size=30,
    unique_by=lambda made: made.asset,
)


@given(OFFERS, st.integers(0, 60 * GIB))
def test_plan_never_exceeds_capacity_nor_breaks_rights(offers: list[Offer], capacity: int) -> None:
    chosen = set(names(*offers, capacity=capacity))
    taken = [made for made in offers if made.asset in chosen]
    assert sum(made.stored_bytes for made in taken) <= capacity
    assert all(made.regions in ((), ("DE",)) for made in taken)
    assert all(made.released_at_ns <= NOW_NS + FILLED_AHEAD_NS for made in taken)
    assert names(*reversed(offers), capacity=capacity) == names(*offers, capacity=capacity)


def test_plan_marks_urgent_what_is_released_soon_or_since() -> None:
    hour = 3600 * 10**9
    offers = [offer("soon/x", released_at_ns=NOW_NS + 3 * hour), offer("later/x", released_at_ns=NOW_NS + 9 * hour)]
    made = plan_appliance(
        "metro-a",
        [*offers, offer("out/x", released_at_ns=NOW_NS)],
        capacity_bytes=100 * GIB,
        fill_ratio=1.0,
        region="DE",
        now_ns=NOW_NS,
    )
    releases = {item.asset: item.release_at_ns for item in made.assets}
    assert releases == {"soon/x": NOW_NS + 3 * hour, "later/x": NOW_NS + 9 * hour, "out/x": 0}

    def urgent(after_hours: int) -> list[str]:
        plan = mark_urgent(made, now_ns=NOW_NS + after_hours * hour, ahead_s=4 * 3600)
        return sorted(item.asset for item in plan.assets if item.urgent)

    assert urgent(0) == ["soon/x"]
    assert urgent(5) == ["later/x", "soon/x"]
    assert urgent(20) == ["later/x", "soon/x"]
