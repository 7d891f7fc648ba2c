import numpy as np
import pytest

from benchmarks.forecast.forecasters import Sums
from steering.plan.forecast import (
    Evidence,
    Families,
    Floats,
    Forecast,
    Smoothing,
    Taste,
    kindred_prior,
    kinship,
    rung_shares,
    world_prior,
)
from steering.plan.watched import Watched

TWO_TITLES = Families(np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1]), np.array([0, 0]))
ALL = np.ones(4, np.bool_)
PLAIN = Smoothing()
UNKNOWN = np.zeros(2)
NOTHING = [[0.0] * 4] * 2


def evidence(*days: list[list[float]], released: np.ndarray = ALL) -> Evidence:
    made = Sums(len(days[0]), len(days[0][0]))
    for day in days:
        made.add_day(np.array(day), released, half_life_days=2.0)
    return made.evidence()


def forecast(made: Evidence, prior: Floats, *, released: np.ndarray = ALL, smoothing: Smoothing = PLAIN) -> Floats:
    of = Forecast(made, TWO_TITLES, prior, released=released, smoothing=smoothing).of
    return np.array([of(cluster) for cluster in range(made.watched.clusters)])


def world(made: Evidence, debut_share: Floats = UNKNOWN) -> Floats:
    return world_prior(Taste(made, TWO_TITLES), debut_share=debut_share)


def test_forecast_of_steady_demand_is_that_demand() -> None:
    day = [[30.0, 10.0, 60.0, 20.0]]
    made = evidence(*[day] * 10)
    assert forecast(made, world(made)) == pytest.approx(np.array(day))


def test_forecast_of_no_cluster_is_none() -> None:
    made = Sums(0, 4).evidence()
    strengths = Forecast(made, TWO_TITLES, UNKNOWN, released=ALL, stored_bytes=np.ones(4)).inherited
    assert np.isfinite(strengths).all()


def test_forecast_counts_late_days_more() -> None:
    rising = evidence([[0.0, 0.0, 0.0, 0.0]], [[80.0, 0.0, 0.0, 0.0]])
    falling = evidence([[80.0, 0.0, 0.0, 0.0]], [[0.0, 0.0, 0.0, 0.0]])
    bare = Smoothing(prior_strength=0.0, asset_strength=0.0)
    expected = [forecast(each, UNKNOWN, smoothing=bare)[0, 0] for each in (rising, falling)]
    assert expected[0] / expected[1] == pytest.approx(2**0.5)
    both = forecast(evidence([[0.0, 0.0, 80.0, 0.0]], [[80.0, 0.0, 0.0, 0.0]]), UNKNOWN)
    assert both[0, 0] > both[0, 2] > 0


def test_forecast_trusts_a_day_of_few_views_less_the_fewer_they_are() -> None:
    """The same demand of small assets is many views, of large ones a matter of chance: there the title tells more."""
    even, odd = [[50.0, 50.0, 50.0, 50.0]], [[90.0, 10.0, 50.0, 50.0]]
    made = evidence(even, odd)

    def of(stored_bytes: float | None) -> float:
        sizes = None if stored_bytes is None else np.full(4, stored_bytes)
        forecast = Forecast(made, TWO_TITLES, world(made), released=ALL, stored_bytes=sizes)
        return float(forecast.of(0)[0])

    assert of(None) == pytest.approx(of(1e-6))
    assert of(None) > of(1.0) > of(100.0) > of(1e9)
    assert of(1e30) == pytest.approx(of(1e9), rel=1e-3), "bounded"


def test_forecast_of_new_title_follows_earlier_debuts_and_usual_renditions() -> None:
    old_alone = np.array([True, True, False, False])
    made = evidence([[75.0, 25.0, 0.0, 0.0]], released=old_alone)
    expected = forecast(made, world(made, np.array([0.0, 0.2])))
    assert expected[0, 2] / expected[0, 3] == pytest.approx(3, rel=0.02)
    assert expected[0, 2:].sum() == pytest.approx(20.0 / 1.2, rel=0.02)
    assert expected.sum() == pytest.approx(100.0)


def test_forecast_expects_nothing_of_what_is_not_released() -> None:
    made = evidence([[1.0, 1.0, 1.0, 1.0]])
    expected = forecast(made, np.array([0.5, 0.5]), released=np.array([True, False, True, True]))
    assert expected[0, 1] == 0
    assert expected[0, 0] > 0


def test_forecast_without_any_history_is_nothing_and_finite() -> None:
    expected = forecast(evidence(NOTHING), np.array([0.5, 0.5]))
    assert expected.shape == (2, 4)
    assert not expected.any()


def test_forecast_of_an_empty_catalogue_is_empty() -> None:
    nothing = Families(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.int64))
    made = Sums(2, 0).evidence()
    assert Forecast(made, nothing, np.zeros(0), released=np.zeros(0, np.bool_)).of(1).shape == (0,)


def test_forecast_for_no_site_at_all_inherits_nothing_that_is_no_number() -> None:
    none = Forecast(Sums(0, 4).evidence(), TWO_TITLES, UNKNOWN, released=ALL, stored_bytes=np.ones(4))
    assert np.isfinite(none.inherited).all()


def test_forecast_of_thin_history_leans_on_what_others_watch() -> None:
    made = evidence([[0.0, 0.0, 10.0, 10.0], [80.0, 80.0, 0.0, 0.0]])
    expected = forecast(made, world(made))
    assert 0 < expected[0, 0] < expected[0, 2]
    assert expected.sum(axis=1) == pytest.approx([20.0, 160.0], rel=0.01)


def test_forecast_of_a_newcomer_is_what_others_watch_at_their_size() -> None:
    made = evidence([[60.0, 20.0, 20.0, 0.0], [0.0, 0.0, 0.0, 0.0], [30.0, 10.0, 10.0, 0.0]])
    expected = forecast(made, world(made), smoothing=Smoothing(prior_strength=50.0))
    assert expected[1, :2].sum() > expected[1, 2:].sum() > 0
    assert expected[1].sum() == pytest.approx(75.0)


def test_forecast_takes_a_prior_of_the_cluster_itself() -> None:
    made = evidence([*NOTHING[:1], [5.0, 5.0, 5.0, 5.0]])
    of = Forecast(made, TWO_TITLES, np.array([0.5, 0.5]), released=ALL).of
    prior = np.array([0.9, 0.1])
    assert of(0, prior)[0] > of(0)[0] > of(0, prior)[2]
    assert prior.tolist() == [0.9, 0.1]


def test_kinship_prefers_those_who_watch_alike() -> None:
    made = evidence([[9.0, 0.0, 1.0, 0.0], [8.0, 0.0, 2.0, 0.0], [1.0, 0.0, 9.0, 0.0]])
    likeness = kinship(Taste(made, TWO_TITLES), power=8.0)
    assert likeness is not None
    assert likeness.sum(axis=1) == pytest.approx([1, 1, 1])
    assert likeness[0, 1] > 0.8
    assert not likeness.diagonal().any()


def test_kinship_of_strangers_is_none() -> None:
    made = evidence([[1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]])
    assert kinship(Taste(made, TWO_TITLES), power=8.0) is None


def test_taste_is_the_same_in_whatever_order_titles_stand() -> None:
    made = evidence([[3.0, 0.0, 5.0, 7.0], [0.0, 0.0, 0.0, 2.0], [0.0] * 4, [0.0, 4.0, 0.0, 0.0]])
    for title, wanted in (
        ([0, 0, 1, 1], [[3, 12], [0, 2], [0, 0], [4, 0]]),
        ([1, 0, 0, 1], [[5, 10], [0, 2], [0, 0], [4, 0]]),
    ):
        taste = Taste(made, Families(np.array(title), np.array([0, 1, 0, 1]), np.array([0, 0])))
        for cluster, by_title in enumerate(wanted):
            titles, shares = taste.of(cluster)
            assert titles.tolist() == np.flatnonzero(by_title).tolist()
            assert shares * max(sum(by_title), 1) == pytest.approx([share for share in by_title if share])


def test_taste_has_no_title_of_which_nothing_is_left() -> None:
    """Of an old day so little may be left that it is rounded down to nothing."""
    watched = Watched(np.array([0, 3]), np.array([0, 1, 2], np.int32), np.array([0.0, 0.0, 8.0]), 4)
    titles, shares = Taste(Evidence(watched, np.ones(4), 1.0), TWO_TITLES).of(0)
    assert (titles.tolist(), shares.tolist()) == ([1], [1.0])


def test_kindred_prior_keeps_the_world_for_what_nobody_watched_yet() -> None:
    old_alone = np.array([True, True, False, False])
    made = evidence([[10.0, 0.0, 0.0, 0.0], [30.0, 0.0, 0.0, 0.0]], released=old_alone)
    taste = Taste(made, TWO_TITLES)
    prior = kindred_prior(np.array([0.4, 0.1]), taste, np.array([0.0, 1.0]), strength=0.5)
    assert prior == pytest.approx([(0.5 * 0.4 + 1) / 1.5, 0.1])


def test_rung_shares_of_a_cluster_without_views_are_everybodys() -> None:
    shares = rung_shares(evidence([[30.0, 10.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]]).watched, TWO_TITLES)
    assert shares[1] == pytest.approx([0.75, 0.25])
