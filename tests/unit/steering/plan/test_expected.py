import numpy as np

from steering.plan.expected import Listed
from steering.plan.ground import Terms, ground
from steering.plan.shelf import shelve
from tests.unit.steering.made_up import NOW_NS, make_summary, make_title

SHELF = shelve(
    [
        make_title("a", assets=[make_summary("a/0"), make_summary("a/m", "manifests", 5)], regions=[]),
        make_title("b", assets=[make_summary("b/0")], regions=["US"]),
    ]
)


def test_listed_adds_up_what_may_be_held() -> None:
    listed = Listed(np.array([1.0, 2.0, 4.0]), ground(SHELF, "DE", Terms(), now_ns=NOW_NS))
    assert (listed.able_bytes, listed.media_bytes) == (3.0, 1.0)
    assert listed.at(np.array([2, 0])).tolist() == [4.0, 1.0]
    assert listed.everywhere().tolist() == [1.0, 2.0, 4.0]
    assert listed.near(0.0).tolist() == [True, False, False]
