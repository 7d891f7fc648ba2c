from __future__ import annotations

from steering.routes.audit import Finding, audit
from steering.routes.reach import Reach
from steering.settings import RoutesTable
from tests.unit.steering.made_up import make_site
from tests.unit.steering.routes_made_up import FAR, NEAR, Box


def make_reach() -> Reach:
    sites = [
        make_site("east", appliances=("east-a", "east-b", "east-c"), isp="one"),
        make_site("other", appliances=("other-a",), isp="two", prefixes=("46.0.0.0/16",)),
    ]
    return Reach(sites, RoutesTable())


def test_audit_finds_nothing_where_all_is_well() -> None:
    reach = make_reach()
    for name in ("east-a", "east-b"):
        Box(name).tell(reach, {"45.1.0.0/16": NEAR, "2a00::/32": FAR})
    view = audit(reach)
    assert view.findings == []
    assert view.prefixes == 3
    assert [(one.appliance, one.routes, one.set_aside) for one in view.appliances] == [
        ("east-a", 2, 0),
        ("east-b", 2, 0),
    ]


def test_audit_names_boxes_that_hear_less_than_others_of_their_site() -> None:
    reach = make_reach()
    Box("east-a").tell(reach, {f"45.{number}.0.0/16": NEAR for number in range(7)})
    Box("east-b").tell(reach, {"45.0.0.0/16": FAR, "47.0.0.0/16": NEAR})
    found = {(one.kind, one.appliance): (one.prefixes, one.examples) for one in audit(reach).findings}
    assert found == {
        ("uneven", "east-a"): (1, ["47.0.0.0/16"]),
        ("uneven", "east-b"): (6, [f"45.{number}.0.0/16" for number in range(1, 6)]),
    }


def test_audit_names_prefixes_of_two_isps_and_absurd_ones() -> None:
    reach = make_reach()
    Box("east-a").tell(reach, {"45.1.0.0/16": FAR, "0.0.0.0/0": NEAR, "10.0.0.0/8": NEAR, "10.1.0.0/16": NEAR})
    Box("other-a").tell(reach, {"45.1.0.0/16": NEAR})
    conflict, private, wide = audit(reach).findings
    assert conflict == Finding(
        "two-isps",
        "east, other",
        "",
        1,
        ["45.1.0.0/16"],
        "claimed by two ISPs for origins of their own: one (origin 64501) and two (origin 64500); neither steers",
        "ask both ISPs; settle it by [[site]] prefixes or within, or give sites of one ISP the same isp",
    )
    assert (wide.kind, wide.appliance, wide.examples) == ("set-aside", "east-a", ["10.0.0.0/8", "10.1.0.0/16"])
    assert wide.why == "private space, 10.0.0.0/8; it steers nobody"
    assert (private.examples, private.site) == (["0.0.0.0/0"], "east")
