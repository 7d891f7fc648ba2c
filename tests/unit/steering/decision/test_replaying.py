from __future__ import annotations

import pytest
from msgspec.structs import replace

from steering.decision.again import Again
from steering.decision.record import Seen, SiteSeen, begun
from steering.decision.replaying import Move, Replay, Replayed, SiteShare
from steering.settings import SteeringSettings
from tests.unit.steering.decision.test_again import SETTINGS, SITES, box, seen, ways
from tests.unit.steering.made_up import NOW_NS, make_settings, make_site


def logged(count: int, **changes: object) -> list[Seen]:
    """Decisions as they were made by ``SETTINGS``, for as many titles."""
    made = [seen(title=f"t{number}", at_ns=NOW_NS + number, **changes) for number in range(count)]
    return [replace(each, chosen=ways(each)) for each in made]


def replayed(records: list[Seen], *without: str, settings: SteeringSettings = SETTINGS) -> Replayed:
    replay = Replay(Again(settings, without))
    replay.add(begun(SITES))
    for record in records:
        replay.add(record)
    replay.add(None)
    return replay.outcome()


def test_replay_by_the_same_settings_moves_nobody() -> None:
    found = replayed(logged(40))
    assert (found.decisions, found.moved, found.moves, found.spoilt, found.unseen) == (40, 0, [], 1, [])
    assert (found.first_at_ns, found.last_at_ns) == (NOW_NS, NOW_NS + 39)
    assert found.km_before == found.km_after == 0.0
    assert [(each.source_class, each.before, each.after) for each in found.classes if each.before] == [
        ("embedded", 40, 40)
    ]
    assert all(each.before == each.after and not each.overfull for each in found.appliances)


def test_replay_without_a_box_moves_its_viewers_to_its_neighbour() -> None:
    records = logged(40)
    mine = sum(record.chosen[0] == "m-a" for record in records)
    found = replayed(records, "m-a")
    assert 0 < mine < 40
    assert (found.moved, found.moves) == (mine, [Move("m-a", "m-b", mine)])
    assert found.sites == [SiteShare("metro", 40, 40)]
    first, last = found.appliances[0], found.appliances[-1]
    assert (first.appliance, first.after, last.appliance, last.after) == ("m-b", 40, "m-a", 0)
    assert first.after_bytes_per_s == pytest.approx(2e6)
    assert last.after_bytes_per_s == pytest.approx(0)


def test_replay_without_a_site_tells_distance_class_and_who_is_overfull() -> None:
    sites = [
        SiteSeen("metro", [box("m-a", sent_bytes_per_s=4e7)]),
        SiteSeen("ix", [box("i-a", sent_bytes_per_s=5e7), box("i-b", sent_bytes_per_s=2e7, link_bytes_per_s=0.0)]),
    ]
    found = replayed(logged(40, sites=sites), "metro")
    assert found.moved == 40
    assert found.km_before == 0.0
    assert found.km_after is not None
    assert 200 < found.km_after < 240
    assert [(each.source_class, each.before, each.after) for each in found.classes] == [
        ("embedded", 40, 0),
        ("peering", 0, 0),
        ("regional", 0, 40),
        ("fallback", 0, 0),
        ("nobody", 0, 0),
    ]
    shares = {each.appliance: each for each in found.appliances}
    assert shares["i-b"].use_after is None
    crowded = [
        SiteSeen("metro", [box("m-a", sent_bytes_per_s=6e7)]),
        SiteSeen("ix", [box("i-a", sent_bytes_per_s=5e7)]),
    ]
    alone = {each.appliance: each for each in replayed(logged(10, sites=crowded), "metro").appliances}
    crowded_out = alone["i-a"]
    assert (crowded_out.use_before, crowded_out.overfull) == (0.5, True)
    assert crowded_out.use_after == pytest.approx(1.1)


def test_replay_counts_who_gets_nothing_or_the_origin() -> None:
    records = [replace(record, chosen=[]) for record in logged(2)] + [replace(logged(1)[0], chosen=["origin"])]
    found = replayed(records, "metro", "wide", "ix")
    assert {(each.source_class, each.before, each.after) for each in found.classes if each.before or each.after} == {
        ("fallback", 1, 3),
        ("nobody", 2, 0),
    }
    assert found.sites == [SiteShare("nobody", 2, 0), SiteShare("fallback", 1, 3)]
    assert (found.km_before, found.km_after) == (None, None)
    empty = Replay(Again(SETTINGS)).outcome()
    assert (empty.decisions, empty.appliances, empty.sites) == (0, [], [])


def test_replay_names_sites_that_others_did_not_look_at() -> None:
    opened = (make_site("metro", "peering", appliances=("m-a", "m-b")), *SITES[1:], make_site("new", "regional"))
    assert replayed(logged(3), settings=make_settings(site=opened)).unseen == ["metro", "new"]
