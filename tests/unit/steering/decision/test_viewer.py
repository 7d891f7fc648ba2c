from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steering.decision.feedback import Score, Slowed
from steering.decision.viewer import Viewer
from tests.unit.steering.made_up import changed, make_candidate

BOX, _ = make_candidate("a", {})
HALF = {"a": Slowed(0.5, Score(0.1, 9), 0.02)}


def test_viewer_names_each_of_its_prefixes() -> None:
    viewer = Viewer("metro", version=4, number=int(ip_address("45.10.3.7")), lengths=[24, 16, 8])
    for _ in range(2):  # the second time from memory
        assert [viewer.prefix(index) for index in (0, 1, 2)] == ["45.10.3.0/24", "45.10.0.0/16", "45.0.0.0/8"]
    viewer = Viewer("metro", version=6, number=int(ip_address("2001:db8:1:2::3")), lengths=[48, 32])
    assert [viewer.prefix(index) for index in (1, 0)] == ["2001:db8::/32", "2001:db8:1::/48"]


@given(st.ip_addresses(v=4), st.lists(st.integers(0, 32), min_size=1))
def test_viewer_names_prefixes_as_networks_of_its_address(address: object, lengths: list[int]) -> None:
    viewer = Viewer(number=int(ip_address(str(address))), lengths=lengths)
    named = [viewer.prefix(index) for index in range(len(lengths))]
    assert named == [str(ip_network(f"{address}/{length}", strict=False)) for length in lengths]


def test_viewer_of_whom_nothing_is_known_is_nowhere() -> None:
    nobody = Viewer()
    assert (nobody.home, nobody.version, nobody.number, nobody.region, nobody.network) == ("", 4, 0, "", "")
    assert (list(nobody.lengths), list(nobody.reach), dict(nobody.slowed)) == ([], [], {})


def test_viewer_leaves_a_box_what_feedback_does() -> None:
    assert [Viewer(slowed=HALF).left_of(name) for name in ("a", "b")] == [0.5, 1.0]
    assert Viewer().left_of("a") == 1.0


@pytest.mark.parametrize(("share", "slowed", "least", "most"), [(1.0, False, 400, 400), (1.0, True, 140, 260)])
def test_viewer_is_taken_by_its_share_of_networks(share: float, slowed: bool, least: int, most: int) -> None:
    viewers = [Viewer(network=f"{number}", slowed=HALF if slowed else {}) for number in range(400)]
    assert least <= sum(viewer.is_taken(changed(BOX, share=share)) for viewer in viewers) <= most
    assert not [viewer for viewer in viewers if viewer.is_taken(changed(BOX, share=0.0))]


def test_viewer_is_taken_by_less_than_a_full_share() -> None:
    boxes = changed(BOX, share=0.5), changed(BOX, share=0.25)
    taken = [{at for at in range(400) if Viewer(network=f"{at}").is_taken(box)} for box in boxes]
    assert taken[1] < taken[0]  # who is taken stays so while it has more room
    assert 140 <= len(taken[0]) <= 260
