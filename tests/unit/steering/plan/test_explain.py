import numpy as np
import pytest

from steering.plan.explain import Explained, explain_asset
from steering.plan.interval import Intervals, empty
from steering.plan.shelf import shelve
from tests.unit.steering.made_up import DAY_NS, NOW_NS
from tests.unit.steering.plan.test_site_plan import GIB, SLACK, plan, title

TITLES = [
    title("a", GIB, manifests=9),
    title("b", GIB),
    title("big", 3 * GIB),
    title("later", GIB, released_at_ns=2 * NOW_NS),
    title("off", GIB),
    title("rights", GIB, regions=["US"]),
    title("unseen", GIB),
]
KNOWN = Intervals(empty())
DEMAND = {"a/0": 3e9, "b/0": 1e9, "big/0": 5e9, "later/0": 9e9, "off/0": 9e9, "rights/0": 9e9}


def explained(asset: str, held: tuple[str, ...] = (), space: float = GIB + SLACK) -> Explained:
    made = plan(TITLES, DEMAND, spaces=[space], held={"box-0": held}, banned=("off",), payback_days=1.0).made
    return explain_asset(shelve(TITLES), made, asset, KNOWN, day=NOW_NS // DAY_NS)


@pytest.mark.parametrize(
    ("asset", "why"),
    [
        ("a/0", "2.8 GiB a day expected here, over 1.0 GiB"),
        ("a/manifests", "manifests first: not watched yet; released 1970-01-01"),
        ("b/0", "others are worth more for their space"),
        ("later/0", "not out yet"),
        ("rights/0", "no rights here"),
        ("off/0", "banned"),
        ("unseen/0", "nobody is expected to watch it, and newer assets took the room that is left"),
    ],
)
def test_explain_names_what_decided(asset: str, why: str) -> None:
    assert explained(asset).why == why


def test_explain_says_that_it_stays_because_no_move_pays() -> None:
    found = explained("b/0", held=("b/0",), space=GIB + SLACK)
    assert found.boxes == []
    kept = plan(
        TITLES, {"a/0": 1.5e9, "b/0": 1e9}, spaces=[GIB + SLACK], held={"box-0": ["b/0"]}, payback_days=1.0
    ).made
    said = explain_asset(shelve(TITLES), kept, "b/0", KNOWN, day=NOW_NS // DAY_NS)
    assert said.why.endswith("it was here, and nothing would pay for driving it out")
    assert explain_asset(shelve(TITLES), kept, "a/0", KNOWN, day=NOW_NS // DAY_NS).why.startswith(
        "worth its space, but"
    )


def test_explain_tells_between_what_tomorrow_lies() -> None:
    found = explained("b/0")
    assert found.low_bytes < found.expected_bytes < found.high_bytes
    assert (explained("off/0").low_bytes, explained("off/0").high_bytes) == (0, 0)


def test_explain_tells_whether_nights_here_or_the_back_test_showed_it() -> None:
    made = plan(TITLES, DEMAND, spaces=[GIB + SLACK], banned=("off",)).made
    learned = Intervals(np.full_like(empty(), 100.0))
    told = {
        (asset, known is learned): explain_asset(shelve(TITLES), made, asset, known, day=NOW_NS // DAY_NS)
        for asset in ("a/0", "b/0")
        for known in (KNOWN, learned)
    }
    assert [key for key, each in told.items() if each.interval_learned] == [("a/0", True)]
    # Of b/0, which is not held, nights here tell nothing: they would say of what is below the cut what is above it.
    assert told["b/0", True] == told["b/0", False]


def test_explain_says_where_more_than_is_expected_would_be_worth_its_space() -> None:
    made = plan(TITLES, {"a/0": 1.5e9, "b/0": 1.2e9}, spaces=[GIB + SLACK]).made
    said = explain_asset(shelve(TITLES), made, "b/0", KNOWN, day=NOW_NS // DAY_NS)
    assert said.worth < said.cut < said.high_bytes / said.bytes
    assert said.why.endswith("but more may come than is expected, and then it would be worth its space")


def test_explain_ranks_among_what_may_be_here() -> None:
    found = explained("b/0")
    assert (found.rank, found.of, found.boxes) == (3, 5, [])
    assert found.worth < found.cut
