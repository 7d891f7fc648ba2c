from __future__ import annotations

import pytest

from oca.common.messages import Load
from steering.plan.sources import FILL_SOURCES_MAX, fill_sources, has_room
from tests.unit.steering.made_up import ORIGIN, make_site


def url_of(name: str) -> str:
    return f"http://{name}.example"


def fit(_name: str) -> bool:
    return True


def test_fill_sources_go_from_peers_over_tiers_to_origin() -> None:
    sites = {
        "metro": make_site("metro", latitude=50),
        "near": make_site("near", latitude=51),
        "far": make_site("far", latitude=10),
    }
    site_of = {"m-a": "metro", "m-b": "metro", "n-a": "near", "f-a": "far"}
    holders = ["f-a", "n-a", "m-a", "m-b"]
    sources = fill_sources(sites, site_of, "m-a", holders, url_of=url_of, fit=fit, asset="t/v", origin_url=ORIGIN)
    assert [(source.kind, source.appliance) for source in sources] == [
        ("peer", "m-b"),
        ("tier", "n-a"),
        ("tier", "f-a"),
        ("origin", None),
    ]
    assert fill_sources(sites, site_of, "m-a", [], url_of=url_of, fit=fit, asset="t/v", origin_url="") == []


def test_fill_sources_ask_only_the_nearest_how_they_stand() -> None:
    sites = {f"site-{number}": make_site(f"site-{number}", latitude=number / 10) for number in range(100)}
    site_of = {f"{site}-{letter}": site for site in sites for letter in "ab"}
    asked: list[str] = []

    def url_of_some(name: str) -> str:
        asked.append(name)
        return url_of(name) if name != "site-1-a" else ""

    sources = fill_sources(sites, site_of, "site-0-a", site_of, url_of=url_of_some, fit=fit, asset="t/v", origin_url="")
    assert len(sources) == FILL_SOURCES_MAX
    assert len(asked) <= FILL_SOURCES_MAX + 2
    assert [source.appliance for source in sources[:1]] == ["site-0-b"]
    assert {source.appliance for source in sources[1:4]} == {"site-1-b", "site-2-a", "site-2-b"}


def test_fill_sources_spread_over_equally_near_sites() -> None:
    sites = {f"site-{number}": make_site(f"site-{number}") for number in range(4)}
    site_of = {f"{site}-a": site for site in sites}
    firsts = {
        fill_sources(sites, site_of, "site-0-a", site_of, url_of=url_of, fit=fit, asset=f"t/{asset}", origin_url="")[
            0
        ].appliance
        for asset in range(30)
    }
    assert firsts == set(site_of) - {"site-0-a"}


def test_fill_sources_ask_embedded_sites_of_others_last() -> None:
    sites = {
        "metro": make_site("metro", latitude=50),
        "near": make_site("near", latitude=51),
        "exchange": make_site("exchange", latitude=10, kind="peering"),
    }
    site_of = {"m-a": "metro", "n-a": "near", "x-a": "exchange"}
    sites["own"] = make_site("own", latitude=20, isp="fiber")
    sites["metro"] = make_site("metro", latitude=50, isp="fiber")
    site_of["o-a"] = "own"
    sources = fill_sources(
        sites, site_of, "m-a", ["n-a", "x-a", "o-a"], url_of=url_of, fit=fit, asset="t/v", origin_url=""
    )
    assert [source.appliance for source in sources] == ["o-a", "x-a", "n-a"]


def test_fill_sources_ask_those_that_are_well_first() -> None:
    sites = {"metro": make_site("metro")}
    site_of = {f"m-{letter}": "metro" for letter in "abcd"}

    def fit_unless_c(name: str) -> bool:
        return name != "m-c"

    for asset in range(20):
        sources = fill_sources(
            sites, site_of, "m-a", site_of, url_of=url_of, fit=fit_unless_c, asset=f"t/{asset}", origin_url=""
        )
        assert sources[-1].appliance == "m-c"


@pytest.mark.parametrize(
    ("cpu", "sent", "link", "room"),
    [(0.5, 9e9, 0, True), (0.9, 0, 0, False), (0.5, 80.0, 100, True), (0.5, 90.0, 100, False)],
)
def test_sources_have_room_while_neither_processors_nor_links_are_full(
    cpu: float, sent: float, link: float, room: bool
) -> None:
    load = Load(connections=0, sent_bytes_per_s=sent, link_bytes_per_s=link, cpu_ratio=cpu)
    assert has_room(load) == room
