"""What holds of every decision, whatever the fleet: over the real decider, with all that it keeps between questions."""

from __future__ import annotations

from typing import Any, cast

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from oca.common.clock import monotonic_s
from oca.common.messages import Health, Load, Report
from steering.decision.address import Address, parse_address
from steering.decision.decider import Decider
from steering.decision.edition import Edition
from steering.metrics import Counts
from steering.signing import Signing
from steering.signing_settings import SigningTable
from steering.state.embedded import EmbeddedState
from steering.state.store import StateStore
from steering.titles.catalogue import Catalogue, Title, write_title
from tests.unit.steering.made_up import held, make_contents, make_report, make_settings, make_site, make_title

KINDS = ("embedded", "embedded", "peering", "regional")
PREFIXES = (("10.1.0.0/16",), ("10.0.0.0/8",), ("172.16.0.0/12",), ())
CLIENTS = ("10.1.2.3", "10.9.9.9", "172.16.0.9", "192.0.2.1")
TITLES = [make_title(f"t{number}") for number in range(4)]
SERVING = ("serving", "serving", "serving", "draining", "drained")
VERDICTS = ("ok", "ok", "ok", "degraded", "failed")


class Box:
    """One appliance as drawn: what it says of itself, and of each title which assets it holds."""

    def __init__(self, name: str, site: str, drawn: tuple[Any, ...]) -> None:
        self.name, self.site = name, site
        self.serving, self.verdict, self.sent, self.reports, holds = drawn
        self.held = {
            asset: revision for title, parts in zip(TITLES, holds, strict=True) for asset, revision in parts(title)
        }

    def report(self, sequence: int, serving: str | None = None) -> Report:
        return make_report(
            self.name,
            self.site,
            sequence=sequence,
            serving=serving or self.serving,
            health=Health(verdict=self.verdict, reasons=["x"]),
            load=Load(connections=0, sent_bytes_per_s=self.sent, link_bytes_per_s=1e8, cpu_ratio=0.1),
            contents=make_contents(self.held),
        )

    def serves(self, title: Title) -> bool:
        playable = any(self.held.get(item.asset) == item.revision for item in title.media())
        return self.reports and self.serving == "serving" and self.verdict != "failed" and playable


def _nothing(title: Title) -> list[tuple[str, str]]:
    return []


def _whole(title: Title) -> list[tuple[str, str]]:
    return list(held(title).items())


def _part(title: Title) -> list[tuple[str, str]]:
    return list(held(title, f"{title.title}/video-240p").items())


def _manifests(title: Title) -> list[tuple[str, str]]:
    return list(held(title, f"{title.title}/manifests").items())


def _older(title: Title) -> list[tuple[str, str]]:
    return [(asset, "0" * 32) for asset in held(title)]


HOLDS = st.sampled_from([_nothing, _whole, _whole, _part, _manifests, _older])
DRAWN = st.tuples(
    st.sampled_from(SERVING),
    st.sampled_from(VERDICTS),
    st.sampled_from([0.0, 5e7, 8.5e7, 9.4e7, 1e8]),
    st.sampled_from([True, True, True, False]),
    st.tuples(*[HOLDS] * len(TITLES)),
)
FLEETS = st.lists(st.lists(DRAWN, min_size=1, max_size=3), min_size=4, max_size=4)
REGIONS = st.lists(st.sampled_from(["", "DE", "FR"]), min_size=4, max_size=4)


def made(fleet: list[list[tuple[Any, ...]]], regions: list[str]) -> tuple[Decider, list[Box]]:
    boxes = [
        Box(f"s{at}-{index}", f"s{at}", drawn) for at, site in enumerate(fleet) for index, drawn in enumerate(site)
    ]
    sites = tuple(
        make_site(
            f"s{at}",
            kind,
            appliances=tuple(box.name for box in boxes if box.site == f"s{at}"),
            prefixes=prefixes,
            region=region,
            latitude=10.0 * at,
        )
        for at, (kind, prefixes, region) in enumerate(zip(KINDS, PREFIXES, regions, strict=True))
    )
    signing = Signing(SigningTable(), cast(StateStore, None))
    decider = Decider(make_settings(site=sites), cast(Catalogue, None), Counts(), signing)
    for box in boxes:
        if box.reports:
            decider.fleet.observe(box.report(1), monotonic_s())
            decider.heard(box.name)
    return decider, boxes


def ways(decider: Decider, title: Title, client: str, **options: Any) -> list[str]:
    address = cast(Address, parse_address(client))
    ranking = decider.decide(Edition(title), address, kind="playback", **options).ranking
    return [way.pathway for way in ranking.pathways if way.source_class != "fallback"]


@given(FLEETS, REGIONS, st.sampled_from(["", "DE"]))
@settings(max_examples=40, deadline=None)
def test_decision_names_nobody_that_may_not_serve_and_is_the_same_again(
    fleet: list[list[tuple[Any, ...]]], regions: list[str], granted: str
) -> None:
    decider, boxes = made(fleet, regions)
    region_of = {f"s{at}": region for at, region in enumerate(regions)}
    for plain in TITLES:
        title = replace(plain, regions=[granted] if granted else [])
        for client in CLIENTS:
            embedded = {"10.1.2.3": {"s0", "s1"}, "10.9.9.9": {"s1"}, "172.16.0.9": set(), "192.0.2.1": set()}[client]
            chosen = ways(decider, title, client)
            able = {
                box.name
                for box in boxes
                if box.serves(title)
                and (box.site in embedded or box.site in ("s2", "s3"))
                and (not granted or region_of[box.site] == granted)
            }
            home = {"10.1.2.3": "s0", "10.9.9.9": "s1", "172.16.0.9": "s2", "192.0.2.1": ""}[client]
            if granted and region_of.get(home, "") != granted:
                assert chosen == []
                continue
            assert set(chosen) <= able
            assert len(chosen) == min(len(able), decider.settings.api.pathways_max)
            assert len(set(chosen)) == len(chosen)
            assert ways(decider, title, client) == chosen
            assert ways(decider, title, client, explain=True) == chosen
    other = made(fleet, regions)[0]  # another instance that was told the same
    for title in TITLES:
        assert [ways(other, title, client) for client in CLIENTS] == [
            ways(decider, title, client) for client in CLIENTS
        ]


@given(FLEETS, st.integers(0, 11))
@settings(max_examples=40, deadline=None)
def test_decision_without_a_box_moves_only_its_viewers(fleet: list[list[tuple[Any, ...]]], which: int) -> None:
    decider, boxes = made(fleet, [""] * 4)
    gone = boxes[which % len(boxes)]
    asked = [(title, client) for title in TITLES for client in CLIENTS]
    before = [ways(decider, *each)[:1] for each in asked]
    decider.fleet.observe(gone.report(2, "drained"), monotonic_s())
    decider.heard(gone.name)
    after = [ways(decider, *each)[:1] for each in asked]
    for first, then in zip(before, after, strict=True):
        assert gone.name not in then
        if first != [gone.name]:
            assert then == first


def test_title_that_only_a_far_open_site_holds_comes_from_there() -> None:
    sites = tuple(
        make_site(
            f"s{at}", "regional", appliances=(f"s{at}-a",), latitude=1.0 * at, prefixes=("10.1.0.0/16",) * (at == 0)
        )
        for at in range(60)
    )
    signing = Signing(SigningTable(), cast(StateStore, None))
    decider = Decider(make_settings(site=sites), cast(Catalogue, None), Counts(), signing)
    far, near = TITLES[:2]
    for at in range(60):
        holds = {**held(near), **(held(far) if at in (40, 50) else {})}
        decider.fleet.observe(make_report(f"s{at}-a", f"s{at}", contents=make_contents(holds)), monotonic_s())
        decider.heard(f"s{at}-a")
    assert ways(decider, far, CLIENTS[0]) == ways(decider, far, CLIENTS[0], explain=True) == ["s40-a", "s50-a"]
    assert ways(decider, near, CLIENTS[0])[0] == "s0-a"


def test_edition_is_kept_as_long_as_its_title_is_published_as_it_is(state: EmbeddedState) -> None:
    def put(*titles: Title) -> None:
        with state.write() as transaction:
            for title in titles:
                write_title(transaction, title, [])

    put(TITLES[0], TITLES[1])
    catalogue = Catalogue(state)
    decider = Decider(make_settings(), catalogue, Counts(), Signing(SigningTable(), state))
    first, other = decider.edition("t0"), decider.edition("t1")
    assert first is not None
    assert (first.title, decider.edition("t2"), decider.edition("t0")) == (TITLES[0], None, first)
    put(replace(TITLES[1], name="Another"), TITLES[2])
    assert decider.edition("t2") is None
    catalogue.refresh()
    assert decider.edition("t0") is first
    again, new = decider.edition("t1"), decider.edition("t2")
    assert again is not other
    assert again is not None
    assert new is not None
    assert (again.name, new.title) == ("Another", TITLES[2])
    with state.write() as transaction:
        transaction.delete("title/t0")
        transaction.put("about/catalogue", b"gone")
    catalogue.refresh()
    assert decider.edition("t0") is None
