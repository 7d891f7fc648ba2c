from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from oca.common.messages import PrefixQuality
from steering.decision.feedback import AGE_S_MAX, STEP_MAX, Feedback, Score, Slowed, score_of, step, target
from steering.decision.feedback_settings import FeedbackTable

SETTINGS = FeedbackTable()
RATIO = st.floats(0, 1)


def rows(*starved: float, requests: int = 100) -> list[PrefixQuality]:
    """One network each."""
    return [
        PrefixQuality(f"10.0.{number}.0/24", requests, round(share * requests)) for number, share in enumerate(starved)
    ]


def test_feedback_scores_by_the_median_of_networks() -> None:
    assert score_of(rows(0, 0, 0.1, 0.1, 0.1, 1, 1, 1), SETTINGS) == Score(0.1, 8)
    assert score_of(rows(*[1.0] * 7), SETTINGS) is None
    assert score_of([*rows(*[1.0] * 7), PrefixQuality("10.1.0.0/24", 19, 19)], SETTINGS) is None
    assert score_of(rows(*[1.0] * 8), SETTINGS) == Score(1.0, 8)
    assert score_of([PrefixQuality(f"10.0.{n}.0/24", 20, 999) for n in range(8)], SETTINGS) == Score(1.0, 8)


def test_feedback_holds_a_path_against_others_of_the_same_viewers() -> None:
    poor = Score(0.07, 9)
    assert target(poor, [], SETTINGS).weight == 0.75
    assert target(poor, [Score(0.07, 9), Score(0.06, 9), Score(0.5, 9)], SETTINGS).weight == 1.0
    assert target(Score(0.02, 9), [Score(0, 9)], SETTINGS).weight == 1.0
    assert target(Score(1.0, 9), [], SETTINGS).weight == 0.5
    slowed = target(poor, [Score(0.03, 9)], SETTINGS)
    assert slowed.why == "players there starve: 7.0% of requests, by the median of 9 networks, 3.0% is usual"


def test_feedback_moves_weights_step_by_step_and_back() -> None:
    feedback = Feedback(SETTINGS)
    seen = []
    for minute in range(7):
        feedback.take("fra1-a", {"fra1": rows(*[0.5] * 9)}, minute * 60)
        seen.append(round(feedback.of_home("fra1")["fra1-a"].weight, 3))
    assert seen == [0.9, 0.8, 0.7, 0.6, 0.5, 0.5, 0.5]
    assert feedback.slowed_paths == 1
    for minute in range(7, 12):
        feedback.take("fra1-a", {"fra1": rows(*[0.0] * 9)}, minute * 60)
    assert feedback.of_home("fra1") == {}
    assert feedback.slowed_paths == 0


def test_feedback_slows_the_path_and_not_the_box() -> None:
    feedback = Feedback(SETTINGS)
    feedback.take("fra1-a", {"fra1": rows(*[0.0] * 9), "ber1": rows(*[0.5] * 9)}, 0)
    assert feedback.of_home("fra1") == {}
    assert list(feedback.of_home("ber1")) == ["fra1-a"]


def test_feedback_lets_go_of_what_nobody_tells_any_more() -> None:
    feedback = Feedback(SETTINGS)
    feedback.take("fra1-a", {"fra1": rows(*[0.5] * 9)}, 0)
    feedback.take("fra1-b", {"fra1": rows(*[0.5] * 9)}, 0)
    feedback.take("fra1-a", {}, 60)  # its viewers have left
    assert list(feedback.of_home("fra1")) == []  # the other is like all others: itself
    feedback.take("fra1-b", {"fra1": rows(*[0.5] * 9)}, 60)
    assert list(feedback.of_home("fra1")) == ["fra1-b"]
    feedback.expire(60 + AGE_S_MAX)
    assert list(feedback.of_home("fra1")) == ["fra1-b"]
    feedback.expire(61 + AGE_S_MAX)
    assert feedback.of_home("fra1") == {}
    feedback.take("fra1-b", {"fra1": rows(*[0.5] * 9)}, 999)
    feedback.take("fra1-b", {}, 1000)
    assert feedback.of_home("fra1") == {}


@given(st.lists(RATIO, min_size=8, max_size=40), st.lists(RATIO, max_size=40))
def test_feedback_of_fewer_than_half_stays_within_what_the_others_say(honest: list[float], liars: list[float]) -> None:
    liars = liars[: len(honest) - 1]
    score = score_of(rows(*honest, *liars), SETTINGS)
    assert score is not None
    said = [round(share * 100) / 100 for share in honest]
    assert min(said) <= score.starved <= max(said)


@given(st.lists(RATIO, min_size=8, max_size=20), st.lists(RATIO, max_size=20))
def test_feedback_moves_by_no_more_places_than_there_are_liars(honest: list[float], liars: list[float]) -> None:
    liars = liars[: (len(honest) - 1) // 2]
    score = score_of(rows(*honest, *liars), SETTINGS)
    assert score is not None
    said = sorted(round(share * 100) / 100 for share in honest)
    middle, moved = (len(said) - 1) / 2, (len(liars) + 1) / 2
    assert said[max(0, int(middle - moved))] <= score.starved <= said[min(len(said) - 1, int(middle + moved) + 1)]


@given(RATIO, st.lists(RATIO, max_size=5), st.floats(0.5, 1))
def test_feedback_keeps_every_weight_within_its_bounds(starved: float, others: list[float], before: float) -> None:
    slowed: Slowed = target(Score(starved, 9), [Score(other, 9) for other in others], SETTINGS)
    assert SETTINGS.weight_min <= slowed.weight <= 1
    after = step(before, slowed.weight)
    assert SETTINGS.weight_min - 1e-6 <= after <= 1
    assert abs(after - before) <= STEP_MAX + 1e-6


@given(RATIO, RATIO, st.lists(RATIO, max_size=5))
def test_feedback_never_prefers_the_path_that_starves_more(one: float, more: float, others: list[float]) -> None:
    one, more = sorted((one, more))
    elsewhere = [Score(other, 9) for other in others]
    assert target(Score(one, 9), elsewhere, SETTINGS).weight >= target(Score(more, 9), elsewhere, SETTINGS).weight


@given(st.integers(1, 10**6), st.integers(8, 20))
def test_feedback_gives_no_network_more_than_one_vote(requests: int, networks: int) -> None:
    loud = PrefixQuality("10.9.0.0/24", requests * 10**6, requests * 10**6)
    assert score_of([*rows(*[0.0] * networks), loud], SETTINGS) == Score(0.0, networks + 1)
