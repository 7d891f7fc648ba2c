from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from steering.decision.again import Again
from steering.decision.record import BoxSeen, Seen, SiteSeen
from steering.settings import SteeringSettings
from tests.unit.steering.decision.test_record import SEEN
from tests.unit.steering.made_up import make_settings, make_site

SITES = (
    make_site("metro", appliances=("m-a", "m-b"), latitude=52),
    make_site("wide", appliances=("w-a",), latitude=48, region="DE"),
    make_site("ix", "regional", appliances=("i-a", "i-b"), latitude=50),
)
SETTINGS = make_settings(site=SITES)
ALL = replace(SETTINGS, api=replace(SETTINGS.api, pathways_max=9))


def box(name: str, **changes: Any) -> BoxSeen:
    return replace(BoxSeen(name, "up", 1.0, 4, 1e6, 1e8, 0.1, 0.0), **changes)


def seen(**changes: Any) -> Seen:
    sites = [
        SiteSeen("metro", [box("m-a"), box("m-b")]),
        SiteSeen("wide", [box("w-a")]),
        SiteSeen("ix", [box("i-a", held=0), box("i-b")]),
    ]
    plain = replace(SEEN, shapes=[((0, "metro"),), ((0, "wide"),)], sites=sites)
    return replace(plain, **changes)


def ways(seen: Seen, *without: str, settings: SteeringSettings = SETTINGS) -> list[str]:
    return [pathway.pathway for pathway in Again(settings, without).rank(seen).pathways]


def test_decision_made_again_goes_by_the_service_order() -> None:
    found = ways(seen())
    assert set(found[:2]) == {"m-a", "m-b"}
    assert found[2:] == ["w-a", "i-b", "origin"]
    assert ways(seen()) == found


def test_decision_without_a_box_or_a_site_goes_to_the_next() -> None:
    found = ways(seen())
    assert ways(seen(), found[0]) == found[1:]
    assert ways(seen(), "metro") == found[2:]
    assert ways(seen(), "metro", "w-a", "ix") == ["origin", "origin-retry"]


def test_decision_by_other_settings_is_another() -> None:
    few = replace(SETTINGS, api=replace(SETTINGS.api, pathways_max=1))
    assert len(ways(seen(), settings=few)) == 2
    busy = [SiteSeen("metro", [box("m-a", sent_bytes_per_s=9e7)]), SiteSeen("wide", [box("w-a")])]
    early = replace(SETTINGS, fleet=replace(SETTINGS.fleet, shed_from_ratio=0.5, full_ratio=0.9))
    assert ways(seen(sites=busy), settings=early) == ["w-a", "m-a", "origin"]
    late = replace(SETTINGS, fleet=replace(SETTINGS.fleet, shed_from_ratio=0.95, full_ratio=0.99))
    assert ways(seen(sites=busy), settings=late) == ["m-a", "w-a", "origin"]
    ixless = make_settings(site=SITES[:1])
    assert set(ways(seen(), settings=ixless)) == {"m-a", "m-b", "origin"}


def test_decision_heeds_players_unless_settings_say_not_to() -> None:
    alone = seen(sites=[SiteSeen("metro", [box("m-a")]), SiteSeen("wide", [box("w-a")])], slowed={"m-a": 0.0})
    assert ways(alone) == ["w-a", "m-a", "origin"]
    deaf = replace(SETTINGS, feedback=replace(SETTINGS.feedback, enabled=False))
    assert ways(alone, settings=deaf) == ["m-a", "w-a", "origin"]


def test_decision_keeps_to_rights_and_standing() -> None:
    sites = [SiteSeen("metro", [box("m-a", standing="gone"), box("m-b", weight=0.0)]), SiteSeen("wide", [box("w-a")])]
    assert ways(seen(sites=sites)) == ["w-a", "m-b", "origin"]
    assert ways(seen(regions=["DE"], region="DE")) == ["w-a", "origin"]
    barred = Again(SETTINGS).rank(seen(regions=["DE"], region="FR"))
    assert (barred.pathways, barred.barred[:9]) == ((), "no rights")


def test_decision_offers_the_last_resorts_there_are() -> None:
    none = make_settings(site=SITES, origin=SETTINGS.origin.__class__())
    assert ways(seen(), settings=none)[-1] == "i-b"
    assert ways(seen(own_origin=True), settings=none)[-1] == "origin"
    cdn = replace(SETTINGS, origin=replace(SETTINGS.origin, cdn_url="http://cdn.example"))
    assert ways(seen(), settings=cdn)[-2:] == ["cdn", "origin"]
    assert ways(seen(own_origin=True), settings=cdn)[-2:] == ["i-b", "origin"]
    unused = replace(SETTINGS, origin=replace(SETTINGS.origin, for_players=False))
    assert "origin" not in ways(seen(), settings=unused)


@given(
    st.lists(st.tuples(st.integers(0, 4), st.floats(0, 1e8), st.floats(0, 1)), min_size=5, max_size=5),
    st.sampled_from(["m-a", "m-b", "w-a", "i-a", "i-b"]),
)
def test_decision_without_a_box_moves_only_its_viewers(boxes: list[tuple[int, float, float]], gone: str) -> None:
    made = [
        box(name, held=held, sent_bytes_per_s=sent, weight=weight)
        for name, (held, sent, weight) in zip(("m-a", "m-b", "w-a", "i-a", "i-b"), boxes, strict=True)
    ]
    sites = [SiteSeen("metro", made[:2]), SiteSeen("wide", made[2:3]), SiteSeen("ix", made[3:])]
    before, after = ways(seen(sites=sites), settings=ALL), ways(seen(sites=sites), gone, settings=ALL)
    assert [name for name in after if not name.startswith("origin")] == [
        name for name in before if name != gone and not name.startswith("origin")
    ]
