from __future__ import annotations

from collections import Counter

import pytest

from oca.common.messages import Load
from steering.decision.candidate import Candidate
from steering.decision.load import nearly_full, places_of, room_places, share_kept, share_taken, takes, use_ratio
from steering.fleet.liveness import Liveness


def load(sent: float = 0.0, link: float = 100.0, cpu: float = 0.0) -> Load:
    return Load(connections=0, sent_bytes_per_s=sent, link_bytes_per_s=link, cpu_ratio=cpu)


@pytest.mark.parametrize(
    ("found", "used"), [(load(50), 0.5), (load(0, 0), 0.0), (load(0, 0, 0.5), 0.0), (load(10, cpu=0.98), 1.0)]
)
def test_use_ratio_takes_link_or_cpu(found: Load, used: float) -> None:
    assert use_ratio(found) == pytest.approx(used)


def test_busy_cores_count_only_where_they_are_the_box_own() -> None:
    busy = load(10, cpu=1.0)
    assert [use_ratio(busy, by_cpu=by_cpu) for by_cpu in (True, False)] == pytest.approx([1 / 0.98, 0.1])


def test_use_ratio_counts_viewers_on_their_way() -> None:
    assert use_ratio(load(50), expected_bytes_per_s=20) == pytest.approx(0.7)


@pytest.mark.parametrize(
    ("found", "by_cpu", "expected_bytes_per_s", "said"),
    [
        (load(1.125e9, 1.25e9, 0.2), True, 0.0, "90% of its links' 10 Gbit/s"),
        (load(1e9, 1.25e9), True, 1.25e8, "90% of its links' 10 Gbit/s, 1 of them by viewers on their way"),
        (load(1e8, 1.25e9, 0.95), True, 0.0, "its processors are 95% busy"),
        (load(1.125e9, 1.25e9, 0.95), False, 0.0, "90% of its links' 10 Gbit/s"),
        (load(0, 0, 0.97), True, 0.0, "its processors are 97% busy"),
    ],
)
def test_nearly_full_tells_by_which_measure(found: Load, by_cpu: bool, expected_bytes_per_s: float, said: str) -> None:
    assert nearly_full(found, by_cpu=by_cpu, expected_bytes_per_s=expected_bytes_per_s) == f"nearly full, {said}"


@pytest.mark.parametrize(("sent", "share"), [(0, 1), (80, 1), (87.5, 0.5), (95, 0), (200, 0)])
def test_share_falls_before_box_is_full(sent: float, share: float) -> None:
    assert share_taken(use_ratio(load(sent)), shed_from_ratio=0.8, full_ratio=0.95) == pytest.approx(share)


def test_box_takes_its_share_of_networks_and_gives_up_no_other() -> None:
    networks = [f"{number:x}" for number in range(4000)]
    half = {network for network in networks if takes("a", network, 0.5)}
    less = {network for network in networks if takes("a", network, 0.3)}
    assert len(half) == pytest.approx(2000, abs=120)
    assert less < half
    assert all(takes("a", network, 1.0) for network in networks)
    assert not any(takes("a", network, 0.0) for network in networks)


def test_place_gives_keys_by_capacity_and_moves_only_those_of_box_that_goes() -> None:
    capacities = {"a": 1.0, "b": 3.0, "c": 6.0}

    def first(key: str, boxes: list[str]) -> str:
        known = [Candidate(box, "", Liveness("up", 1.0, ""), capacity=capacities[box]) for box in boxes]
        return min(zip(places_of(key, known), boxes, strict=True))[1]

    keys = [f"title-{number}" for number in range(10_000)]
    all_of = {key: first(key, ["a", "b", "c"]) for key in keys}
    counts = Counter(all_of.values())
    assert [counts[box] / 10_000 for box in "abc"] == pytest.approx([0.1, 0.3, 0.6], abs=0.02)
    assert all(first(key, ["a", "b"]) == box for key, box in all_of.items() if box != "c")


@pytest.mark.parametrize(("used", "kept"), [(0.0, 1.0), (0.95, 1.0), (1.9, 0.5)])
def test_box_keeps_playing_viewers_until_it_is_full(used: float, kept: float) -> None:
    assert share_kept(used, full_ratio=0.95) == pytest.approx(kept)


def test_room_place_gives_networks_by_room_and_full_boxes_last() -> None:
    boxes = [
        Candidate(name, "", Liveness("up", weight, ""), capacity=capacity, share=share)
        for name, weight, capacity, share in (("a", 1, 1, 0.3), ("b", 1, 3, 0.3), ("ill", 0.5, 9, 0), ("well", 1, 1, 0))
    ]
    firsts: Counter[str] = Counter()
    for number in range(2000):
        places = room_places(f"{number:x}", boxes)
        order = [box for _, box in sorted(zip(places, boxes, strict=True), key=lambda pair: pair[0])]
        firsts[order[0].appliance] += 1
        assert [box.appliance for box in order[2:]] == ["well", "ill"]
    assert firsts["b"] / firsts["a"] == pytest.approx(3, abs=0.5)
