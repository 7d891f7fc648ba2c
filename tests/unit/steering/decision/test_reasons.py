from __future__ import annotations

from ipaddress import ip_address

from oca.common.routes import PathAttributes
from steering.decision.candidate import Candidate
from steering.decision.candidates import Fit
from steering.decision.feedback import Score, Slowed
from steering.decision.order import RankedSite
from steering.decision.reasons import ORIGIN, Reasons
from steering.decision.viewer import Viewer
from steering.fleet.liveness import Heard, Liveness
from steering.routes.claims import Claim, Claims
from tests.unit.steering.made_up import changed, make_candidate, make_site

SITE = make_site("metro")
CLAIMS = Claims.of((Claim("metro", "metro-a", PathAttributes(as_path="64500")),), {"metro": "isp"})
VIEWER = Viewer("metro", number=int(ip_address("45.10.1.7")), lengths=[16], reach=[CLAIMS], network="2d0a01")
BOX, _ = make_candidate("metro-a", {})
OPEN = RankedSite(make_site("region", "regional"), 368.4, -1, "")
HOLDS = ("harbour/video", "harbour/audio")


def told(
    number: int = 0, box: Candidate = BOX, ranked: RankedSite = OPEN, viewer: Viewer = VIEWER, wanted: int = 2
) -> str:
    fit = Fit(-2, 0.0, box, ranked, HOLDS)
    return Reasons(number, fit, wanted, viewer, 103.25).text()


def test_reasons_name_place_and_way() -> None:
    near = RankedSite(SITE, 0.0, 0, "")
    assert told(ranked=near) == (
        "nearest: embedded site metro: client in its prefix 45.10.0.0/16 by BGP, AS path 64500, local-pref 100, "
        "0 km from metro; holds it whole; report 1.0 s old, limit 4.5 s"
    )
    assert told(1).startswith("number 2: regional site region: serves any client, 368 km from metro; holds it whole; ")
    nowhere = Viewer(network="2d0a01")
    assert "serves any client, client in no prefix; holds 2 of its 3 assets" in told(
        ranked=changed(OPEN, distance_km=None), viewer=nowhere, wanted=3
    )
    assert ORIGIN.text() == "last resort: the origin holds everything"


def test_reasons_say_of_a_site_once_what_all_its_boxes_share() -> None:
    ranked = changed(OPEN)
    first = told(ranked=ranked)
    assert ranked.words == "regional site region: serves any client, 368 km from metro"
    other, _ = make_candidate("metro-b", {})
    assert told(ranked=ranked, box=other) == first
    ranked.words = "as said"
    assert told(ranked=ranked).startswith("nearest: as said; ")


def test_reasons_tell_what_a_box_takes() -> None:
    full = changed(BOX, share=0.33, full="nearly full, 90% of its links' 10 Gbit/s")
    assert told(box=full).endswith("limit 4.5 s; nearly full, 90% of its links' 10 Gbit/s: takes 33% of its viewers")
    ill = changed(BOX, share=0.5, liveness=Liveness("up", 0.5, "degraded: disk slow"))
    assert told(box=ill).endswith("degraded: disk slow; takes 50% of its viewers")
    slowed = {"metro-a": Slowed(0.75, Score(0.07, 14), 0.02)}
    assert told(viewer=changed(VIEWER, slowed=slowed)).endswith("2.0% is usual; takes 75% of its viewers")
    other = {"metro-b": Slowed(0.75, Score(0.07, 14), 0.02)}
    assert told(viewer=changed(VIEWER, slowed=other)).endswith("report 1.0 s old, limit 4.5 s")
    whole = {"metro-a": Slowed(1.0, Score(0.07, 14), 0.02)}
    assert told(viewer=changed(VIEWER, slowed=whole)).endswith("2.0% is usual")


def test_reasons_tell_the_age_of_a_report_by_the_clock() -> None:
    assert told(box=changed(BOX, heard=Heard(100.0, 4.5))).endswith("; report 3.3 s old, limit 4.5 s")
