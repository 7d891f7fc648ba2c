from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fill.sources import Attempt, Fault, GivenUp, SourceLadder
from oca.common.messages import FillSource

PEER = FillSource(kind="peer", url="http://peer:8080", appliance="fra1-b")
ORIGIN = FillSource(kind="origin", url="http://origin:8070")
RESET = Fault("reset", "broke the connection off", lasting=False)
LIE = Fault("wrong-digest", "sends other bytes than the digest says", lasting=True)


def ladder(*sources: FillSource, rounds_max: int = 4) -> SourceLadder:
    return SourceLadder(sources, rounds_max=rounds_max, backoff_s=1.0, backoff_s_max=3.0)


def test_ladder_stays_on_best_source_while_it_works() -> None:
    climb = ladder(PEER, ORIGIN)
    assert climb.next(jitter=0) == Attempt(PEER, 0.0)
    climb.succeeded()
    assert climb.next(jitter=0) == Attempt(PEER, 0.0)


def test_ladder_leaves_failed_source_for_rest_of_asset() -> None:
    climb = ladder(PEER, ORIGIN)
    climb.failed(PEER, RESET)
    climb.succeeded()
    assert climb.next(jitter=0) == Attempt(ORIGIN, 0.0)
    assert climb.faults == {PEER.url: RESET}


def test_ladder_climbs_again_after_doubling_waits() -> None:
    climb = ladder(PEER, ORIGIN)
    waits = []
    for _ in range(3):
        climb.failed(PEER, LIE)
        climb.failed(ORIGIN, RESET)
        step = climb.next(jitter=1.0)
        assert isinstance(step, Attempt)
        assert step.source == ORIGIN
        waits.append(step.wait_s)
    assert waits == [1.0, 2.0, 3.0]
    climb.failed(ORIGIN, RESET)
    assert climb.next(jitter=1.0) == GivenUp(
        "http://peer:8080: sends other bytes than the digest says; http://origin:8070: broke the connection off"
    )


def test_ladder_waits_at_least_half_of_a_round() -> None:
    climb = ladder(ORIGIN)
    climb.failed(ORIGIN, RESET)
    assert climb.next(jitter=0.0) == Attempt(ORIGIN, 0.5)


def test_ladder_gives_up_at_once_when_every_fault_lasts() -> None:
    climb = ladder(PEER)
    climb.failed(PEER, LIE)
    assert climb.next(jitter=0) == GivenUp("http://peer:8080: sends other bytes than the digest says")


def test_ladder_starts_counting_anew_after_an_object() -> None:
    climb = ladder(ORIGIN, rounds_max=2)
    for _ in range(5):
        climb.failed(ORIGIN, RESET)
        assert isinstance(climb.next(jitter=0), Attempt)
        climb.succeeded()


def test_ladder_without_sources_says_so() -> None:
    assert ladder().next(jitter=0) == GivenUp("steering names no source that has it")


def test_ladder_counts_repeated_source_once() -> None:
    climb = ladder(PEER, ORIGIN, PEER)
    climb.failed(PEER, LIE)
    climb.failed(ORIGIN, LIE)
    assert climb.next(jitter=0) == GivenUp(
        "http://peer:8080: sends other bytes than the digest says; "
        "http://origin:8070: sends other bytes than the digest says"
    )


@given(st.lists(st.sampled_from(["reset", "lie", "object"]), max_size=60), st.integers(1, 5), st.floats(0, 1))
def test_ladder_never_repeats_a_liar_and_bounds_its_rounds(events: list[str], rounds_max: int, jitter: float) -> None:
    climb = ladder(PEER, ORIGIN, rounds_max=rounds_max)
    liars: set[str] = set()
    faults_in_a_row = 0
    for event in events:
        step = climb.next(jitter=jitter)
        if isinstance(step, GivenUp):
            assert faults_in_a_row or len(liars) == 2
            return
        assert step.source.url not in liars
        assert 0 <= step.wait_s <= 3.0
        if event == "object":
            faults_in_a_row = 0
            climb.succeeded()
            continue
        faults_in_a_row += 1
        climb.failed(step.source, LIE if event == "lie" else RESET)
        if event == "lie":
            liars.add(step.source.url)
        assert faults_in_a_row <= 2 * rounds_max
