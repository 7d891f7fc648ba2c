from hypothesis import given
from hypothesis import strategies as st

from oca.report.contents import Held

PAIRS = st.lists(st.tuples(st.sampled_from(["t/a", "t/b", "t/c"]), st.sampled_from(["1" * 32, "2" * 32])), unique=True)


@given(PAIRS, st.randoms(use_true_random=False))
def test_contents_digest_ignores_order(pairs: list[tuple[str, str]], chance: object) -> None:
    shuffled = list(pairs)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert Held(pairs).digest == Held(shuffled).digest


@given(PAIRS, PAIRS)
def test_contents_digest_tells_sets_apart(left: list[tuple[str, str]], right: list[tuple[str, str]]) -> None:
    assert (Held(left).digest == Held(right).digest) == (sorted(left) == sorted(right))


def test_contents_list_assets_only_when_wanted() -> None:
    held = Held([("t/b", "2" * 32), ("t/a", "1" * 32)])
    assert held.contents(listed=False).assets is None
    listed = held.contents(listed=True)
    assert [(each.asset, each.revision) for each in listed.assets or ()] == [("t/a", "1" * 32), ("t/b", "2" * 32)]
    assert listed.digest == held.digest


def test_contents_of_empty_store_are_a_list_all_the_same() -> None:
    assert Held(()).contents(listed=True).assets == []
