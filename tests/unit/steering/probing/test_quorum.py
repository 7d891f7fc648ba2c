from hypothesis import given
from hypothesis import strategies as st

from steering.probing.observations import Statement
from steering.probing.quorum import NAMED_MAX, combine


def said(*failing: str, abstains: str = "") -> Statement:
    return Statement(probed=9, failing={name: f"{name} is dark" for name in failing}, abstains=abstains)


def test_quorum_of_one_goes_by_its_word() -> None:
    quorum = combine({"here": said("a")}, agree_ratio=0.5)
    assert quorum.out == {"a": "probes cannot fetch from it (here: a is dark)"}
    assert quorum.voters == ("here",)


def test_quorum_of_two_must_agree() -> None:
    assert combine({"x": said("a"), "y": said()}, agree_ratio=0.5).out == {}
    out = combine({"x": said("a"), "y": said("a", "b")}, agree_ratio=0.5).out
    assert out == {"a": "2 of 2 observers cannot fetch from it (x: a is dark; y: a is dark)"}


def test_quorum_of_three_takes_two() -> None:
    out = combine({"x": said("a"), "y": said("a"), "z": said("b")}, agree_ratio=0.5).out
    assert list(out) == ["a"]
    assert combine({"x": said("a"), "y": said(), "z": said()}, agree_ratio=0.3).out.keys() == {"a"}


def test_quorum_does_not_count_who_abstains() -> None:
    quorum = combine({"x": said("a"), "y": said(abstains="isolated"), "z": said(abstains="new")}, agree_ratio=0.5)
    assert quorum.voters == ("x",)
    assert list(quorum.out) == ["a"]
    assert combine({"x": said("a", abstains="isolated")}, agree_ratio=0.5).out == {}
    assert combine({}, agree_ratio=0).out == {}


def test_quorum_names_few_of_many() -> None:
    out = combine({f"o{number}": said("a") for number in range(9)}, agree_ratio=0.5).out
    assert out["a"].startswith("9 of 9 observers cannot fetch from it (o0: a is dark; ")
    assert out["a"].endswith(f"; {9 - NAMED_MAX} more)")


@given(st.dictionaries(st.sampled_from("vwxyz"), st.sets(st.sampled_from("abc"))), st.floats(0, 0.99))
def test_quorum_takes_out_by_share_alone(votes: dict[str, set[str]], ratio: float) -> None:
    out = combine({name: said(*failing) for name, failing in votes.items()}, agree_ratio=ratio).out
    for appliance in "abc":
        against = sum(appliance in failing for failing in votes.values())
        assert (appliance in out) == (against > len(votes) * ratio)
