from hypothesis import given
from hypothesis import strategies as st

from steering.probing.observations import Observations, Seen, Statement
from steering.probing.settings import ProbesTable

SETTINGS = ProbesTable(interval_s=10, timeout_s=2, failures_needed=3, successes_needed=2)


def everybody(_: str) -> bool:
    return True


def seen(**probes: str) -> Observations:
    """Of each appliance its probes, one a second: ``.`` good, ``x`` failed."""
    made = Observations(SETTINGS)
    for second in range(max(map(len, probes.values()))):
        for name, outcomes in probes.items():
            if second < len(outcomes):
                made.note(name, "dark" if outcomes[second] == "x" else "", second, checked=True)
    return made


def test_observations_vote_after_failures_in_a_row() -> None:
    made = seen(a="xx.xx", b=".....", c=".....")
    assert made.statement(everybody, 3, 5).failing == {}
    assert made.note("a", "dark", 5, checked=True)
    assert not made.note("a", "dark", 6, checked=True)
    assert made.statement(everybody, 3, 6) == Statement(probed=3, failing={"a": "dark"})
    assert made.last("a", 6) == Seen(6, "dark", True)


def test_observations_end_a_vote_after_successes_in_a_row() -> None:
    made = seen(a="xxx.", b="....", c="....")
    assert made.statement(everybody, 3, 4).failing == {"a": "answers again, not yet often enough"}
    assert made.note("a", "", 5, checked=True)
    assert made.statement(everybody, 3, 5) == Statement(probed=3, failing={})


def test_observer_that_reaches_hardly_anybody_does_not_vote() -> None:
    made = seen(a="xxx", b="...", c="...")
    made.note("b", "dark", 4, checked=True)
    assert made.statement(everybody, 3, 4) == Statement(
        probed=3, failing={}, abstains="isolated: cannot reach 2 of 3 appliances whose reports come"
    )
    assert made.statement(lambda name: name != "b", 2, 4).failing == {"a": "dark"}  # b is gone by its report as well


def test_observer_that_is_cut_off_never_votes_before_it_notices() -> None:
    """The first box is probed three times before the others' turn comes."""
    made = seen(a="....", b="....", c="....")
    for second in (10, 11, 12, 13):
        assert not made.note("a", "dark", second, checked=True)
    made.note("b", "dark", 14, checked=True)
    assert not made.note("a", "dark", 15, checked=True)
    assert made.statement(everybody, 3, 15).abstains.startswith("isolated")
    made.note("b", "", 16, checked=True)
    assert made.note("a", "dark", 17, checked=True)
    assert made.statement(everybody, 3, 17).failing == {"a": "dark"}


def test_observer_of_one_box_cannot_tell_whose_fault_it_is() -> None:
    made = seen(a="xxxxx")
    assert made.statement(everybody, 1, 5).abstains == "isolated: cannot reach 1 of 1 appliances whose reports come"
    bold = Observations(ProbesTable(failures_needed=1, isolated_ratio=1))
    assert bold.note("a", "dark", 0, checked=True)
    assert bold.statement(everybody, 1, 0) == Statement(probed=1, failing={"a": "dark"})


def test_observer_that_has_only_begun_does_not_vote() -> None:
    made = Observations(SETTINGS)
    assert made.statement(everybody, 0, 0).abstains == "has probed 0 of 0 appliances so far"
    made.note("a", "", 0, checked=False)
    assert made.statement(everybody, 3, 0).abstains == "has probed 1 of 3 appliances so far"
    made.note("b", "", 0, checked=False)
    assert made.statement(everybody, 3, 0).abstains == ""


def test_observations_are_forgotten_after_a_while() -> None:
    made = seen(a="xxx", b="...")
    assert made.last("a", 38) == Seen(2, "dark", True)
    assert made.last("a", 39) is None
    assert made.last("nobody", 0) is None
    assert made.statement(everybody, 0, 39).failing == {}
    made.note("a", "dark", 40, checked=True)
    made.note("b", "", 40, checked=True)
    assert made.statement(everybody, 0, 40).failing == {"a": "dark"}  # it was never seen well meanwhile


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.booleans()), max_size=120))
def test_observations_never_vote_without_enough_failures_in_a_row(probes: list[tuple[str, bool]]) -> None:
    made, streak = Observations(SETTINGS), dict.fromkeys("abcd", 0)
    voted: set[str] = set()
    for second, (name, good) in enumerate(probes):
        streak[name] = 0 if good else streak[name] + 1
        changed = made.note(name, "" if good else "dark", second / 10, checked=True)
        if changed and name not in voted:
            assert streak[name] >= 3
        voted ^= {name} if changed else set()
        said = made.statement(everybody, 0, second / 10)
        assert set(said.failing) in (voted, set())
