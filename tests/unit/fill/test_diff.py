from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fill.diff import Held, diff_plan, room_on_one_device
from oca.common.messages import PlannedAsset

NEW, OLD = "a" * 32, "b" * 32


def planned(asset: str, size: int, revision: str = NEW) -> PlannedAsset:
    return PlannedAsset(asset=asset, revision=revision, bytes=size, popularity=1.0, why="popular")


def held(asset: str, size: int, revision: str = NEW, at: int = 0, device: int = 0) -> Held:
    return Held(asset=asset, revision=revision, bytes=size, device=device, committed_at_ns=at)


def test_diff_fetches_missing_assets_in_plan_order() -> None:
    diff = diff_plan([planned("t/b", 10), planned("t/a", 10)], [], free_bytes=100, overhead_bytes=0)
    assert [fetch.planned.asset for fetch in diff.fetches] == ["t/b", "t/a"]
    assert (diff.evictions, diff.skipped, diff.kept, diff.spare) == ((), (), (), ())


def test_diff_keeps_held_assets_and_evicts_none_without_need() -> None:
    gone = held("t/gone", 50)
    diff = diff_plan([planned("t/a", 10), planned("t/b", 40)], [held("t/a", 10), gone], free_bytes=40, overhead_bytes=0)
    assert diff.kept == ("t/a",)
    assert diff.evictions == ()
    assert diff.spare == (gone,)


def test_diff_evicts_longest_held_first_and_only_as_far_as_needed() -> None:
    store = [held("t/young", 30, at=9), held("t/old", 30, at=1), held("t/middle", 30, at=5)]
    diff = diff_plan([planned("t/a", 40)], store, free_bytes=0, overhead_bytes=5)
    assert [entry.asset for entry in diff.fetches[0].evict_first] == ["t/old", "t/middle"]
    assert [entry.asset for entry in diff.spare] == ["t/young"]


def test_diff_keeps_older_revision_until_space_is_needed() -> None:
    store = [held("t/a", 30, OLD), held("t/b", 30, OLD), held("t/gone", 10, at=99)]
    roomy = diff_plan([planned("t/a", 30), planned("t/b", 30)], store, free_bytes=60, overhead_bytes=0)
    assert roomy.evictions == ()
    tight = diff_plan([planned("t/a", 30), planned("t/b", 30)], store, free_bytes=0, overhead_bytes=0)
    assert [entry.asset for entry in tight.fetches[0].evict_first] == ["t/gone", "t/b"]
    assert [entry.asset for entry in tight.fetches[1].evict_first] == ["t/a"]


def test_diff_skips_what_does_not_fit_and_goes_on() -> None:
    store = [held("t/gone", 20)]
    wanted = [planned("t/huge", 1000), planned("t/small", 30)]
    diff = diff_plan(wanted, store, free_bytes=10, overhead_bytes=0)
    assert [(entry.asset, entry.reason) for entry in diff.skipped] == [
        ("t/huge", "no room: needs 1000 B, 10 B free and 20 B held that the plan does not want")
    ]
    assert [fetch.planned.asset for fetch in diff.fetches] == ["t/small"]


def test_diff_counts_repeated_asset_once_at_its_best_place() -> None:
    wanted = [planned("t/a", 10), planned("t/b", 10), planned("t/a", 99)]
    diff = diff_plan(wanted, [], free_bytes=100, overhead_bytes=0)
    assert [(fetch.planned.asset, fetch.planned.bytes) for fetch in diff.fetches] == [("t/a", 10), ("t/b", 10)]


def test_room_is_made_where_fewest_bytes_have_to_go() -> None:
    may_go = [held("t/a", 40, device=0), held("t/b", 20, device=1), held("t/c", 15, device=1), held("t/d", 9, device=1)]
    assert [entry.asset for entry in room_on_one_device(may_go, 60, {0: 25, 1: 30})] == ["t/b", "t/c"]
    assert [entry.asset for entry in room_on_one_device(may_go, 60, {0: 25, 1: 10})] == ["t/a"]


def test_room_is_not_made_when_no_device_could_hold_the_asset() -> None:
    may_go = [held("t/a", 40, device=0), held("t/b", 30, device=1)]
    assert room_on_one_device(may_go, 60, {0: 10, 1: 10}) == ()
    assert room_on_one_device([], 60, {0: 10}) == ()


names = st.sampled_from([f"t/{letter}" for letter in "abcdefgh"])
sizes = st.integers(0, 100)
plans = st.lists(st.builds(planned, names, sizes, st.sampled_from([NEW, OLD])), max_size=10)
stores = st.lists(
    st.builds(held, names, sizes, st.sampled_from([NEW, OLD]), st.integers(0, 9)),
    max_size=8,
    unique_by=lambda entry: entry.asset,
)


@given(wanted=plans, store=stores, free=sizes, overhead=st.integers(0, 5))
def test_diff_never_overfills_nor_evicts_what_is_wanted(
    wanted: list[PlannedAsset], store: list[Held], free: int, overhead: int
) -> None:
    diff = diff_plan(wanted, store, free_bytes=free, overhead_bytes=overhead)
    plan = {entry.asset: entry for entry in reversed(wanted)}
    room = free
    for fetch in diff.fetches:
        for place, entry in enumerate(fetch.evict_first):
            assert entry.asset not in plan or plan[entry.asset].revision != entry.revision
            if place == len(fetch.evict_first) - 1:
                assert room < fetch.planned.bytes + overhead  # the last one that went was needed
            room += entry.bytes
        room -= fetch.planned.bytes + overhead
        assert room >= 0
    said = [fetch.planned.asset for fetch in diff.fetches] + [entry.asset for entry in diff.skipped] + list(diff.kept)
    assert sorted(said) == sorted(plan)
    gone = {entry.asset for entry in diff.evictions} | {entry.asset for entry in diff.spare}
    assert gone | set(diff.kept) == {entry.asset for entry in store}
