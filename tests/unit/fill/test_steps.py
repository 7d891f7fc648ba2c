from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fill.steps import reach
from fill.tables import LadderTable
from oca.common.messages import FillSource, SourceKind

WAITS = LadderTable(peer_wait_s=60.0, tier_wait_s=30.0)
KINDS: tuple[SourceKind, ...] = ("peer", "tier", "origin")


def sources(*kinds: SourceKind) -> list[FillSource]:
    return [FillSource(kind=kind, url=f"http://{kind}") for kind in kinds]


@pytest.mark.parametrize(
    ("master", "waited_s", "kinds", "more_in_s"),
    [
        (False, 0.0, ["peer"], 60.0),
        (False, 59.0, ["peer"], 1.0),
        (False, 60.0, ["peer", "tier"], 30.0),
        (False, 90.0, ["peer", "tier", "origin"], None),
        (True, 0.0, ["peer", "tier"], 30.0),
        (True, 30.0, ["peer", "tier", "origin"], None),
    ],
)
def test_reach_opens_step_after_step(master: bool, waited_s: float, kinds: list[str], more_in_s: float | None) -> None:
    found = reach(sources(*KINDS), master=master, waited_s=waited_s, waits=WAITS)
    assert ([source.kind for source in found.sources], found.more_in_s) == (kinds, more_in_s)


def test_reach_waits_for_a_peer_while_only_the_origin_has_it() -> None:
    found = reach(sources("origin"), master=False, waited_s=10.0, waits=WAITS)
    assert (found.sources, found.more_in_s) == ((), 80.0)
    assert found.why == "waits for a peer to bring it, 80 s more at most"


def test_reach_waits_for_nobody_where_nobody_has_it() -> None:
    assert reach([], master=False, waited_s=0.0, waits=WAITS).more_in_s is None


@given(
    st.lists(st.sampled_from(KINDS), max_size=6),
    st.booleans(),
    st.floats(0, 1000),
    st.floats(0, 500),
    st.floats(0, 500),
)
def test_reach_says_truly_when_more_may_be_asked(
    kinds: list[SourceKind], master: bool, waited_s: float, peer_wait_s: float, tier_wait_s: float
) -> None:
    waits = LadderTable(peer_wait_s=peer_wait_s, tier_wait_s=tier_wait_s)
    found = reach(sources(*kinds), master=master, waited_s=waited_s, waits=waits)
    if found.more_in_s is None:
        assert len(found.sources) == len(kinds)
        return
    later = reach(sources(*kinds), master=master, waited_s=waited_s + found.more_in_s + 1e-6, waits=waits)
    assert len(later.sources) > len(found.sources)
