from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from steering.decision.rights import bar, barred_there
from tests.unit.steering.made_up import NOW_NS, make_site, make_title


def test_rights_bar_regions_that_are_not_granted() -> None:
    restricted = make_title(regions=["DE", "FR"])
    assert bar(restricted, "US", NOW_NS) == "no rights in US; granted: DE, FR"
    assert bar(restricted, "", NOW_NS) == "no rights in a client region that is not known; granted: DE, FR"
    assert bar(restricted, "FR", NOW_NS) == bar(make_title(), "", NOW_NS) == ""


def test_rights_bar_everybody_before_release() -> None:
    assert bar(make_title(released_at_ns=NOW_NS + 1), "", NOW_NS) == "not released before 2024-10-04T00:00:00Z"
    assert bar(make_title(released_at_ns=NOW_NS), "", NOW_NS) == ""


REGIONS = st.sampled_from(["", "DE", "FR", "US"])
TIMES = st.integers(0, 2 * NOW_NS)


@given(
    st.lists(REGIONS.filter(bool), max_size=3, unique=True),
    REGIONS,
    st.integers(0, 2 * NOW_NS),
    st.integers(0, 2 * NOW_NS),
)
def test_rights_never_let_anybody_in_before_release_or_without_a_grant(
    regions: list[str], region: str, released_at_ns: int, now_ns: int
) -> None:
    title = make_title(regions=regions, released_at_ns=released_at_ns)
    granted = not regions or region in regions
    assert (bar(title, region, now_ns) == "") == (granted and now_ns >= released_at_ns)
    assert (barred_there(title, make_site("m", region=region)) == "") == granted


def test_rights_bar_sites_of_other_regions() -> None:
    restricted = make_title(regions=["DE"])
    assert barred_there(restricted, make_site("m", region="FR")) == "its site m is in FR: no rights there"
    assert barred_there(restricted, make_site("m")) == "its site m is in no known region: no rights there"
    assert barred_there(restricted, make_site("m", region="DE")) == barred_there(make_title(), make_site("m")) == ""
