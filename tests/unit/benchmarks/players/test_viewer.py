from __future__ import annotations

import random
from math import inf

from hypothesis import given
from hypothesis import strategies as st

from benchmarks.players.viewer import LINES_BITS_PER_S, PATIENCE_S_MIN, draw_title, draw_viewer


@given(seed=st.integers(), duration_s=st.floats(min_value=1, max_value=20_000))
def test_viewer_stays_within_film(seed: int, duration_s: float) -> None:
    viewer = draw_viewer(random.Random(seed), duration_s)
    assert viewer.line_bits_per_s in dict(LINES_BITS_PER_S)
    assert viewer.patience_s >= PATIENCE_S_MIN
    assert viewer.leaves_after_s == inf or 0 < viewer.leaves_after_s <= duration_s
    assert all(0 <= seek.to_s <= duration_s for seek in viewer.seeks)
    assert list(viewer.seeks) == sorted(viewer.seeks, key=lambda seek: seek.watched_s)


def test_viewer_repeats_same_seed() -> None:
    assert draw_viewer(random.Random(7), 60) == draw_viewer(random.Random(7), 60)


def test_viewers_differ_in_habits() -> None:
    chance = random.Random(1)
    viewers = [draw_viewer(chance, 60) for _ in range(2000)]
    assert 0.25 < sum(viewer.leaves_after_s < inf for viewer in viewers) / 2000 < 0.35
    assert 0.2 < sum(bool(viewer.seeks) for viewer in viewers) / 2000 < 0.3
    assert {len(viewer.seeks) for viewer in viewers} == {0, 1, 2, 3}


def test_line_varies_within_bounds() -> None:
    viewer = draw_viewer(random.Random(1), 60)
    rates = [viewer.line_now(random.Random(seed)) for seed in range(50)]
    assert viewer.line_bits_per_s / 2 <= min(rates) < max(rates) <= viewer.line_bits_per_s


def test_titles_follow_their_fame() -> None:
    chance = random.Random(1)
    drawn = [draw_title(chance, 4) for _ in range(4000)]
    counts = [drawn.count(place) for place in range(4)]
    assert counts == sorted(counts, reverse=True)
    assert 1.7 < counts[0] / counts[1] < 2.3
    assert draw_title(chance, 1) == 0


class _Brink(random.Random):
    def random(self) -> float:
        return 1.0  # never drawn in truth, but a sum of weights may round below it


def test_title_survives_rounding_of_weights() -> None:
    assert draw_title(_Brink(), 3) == 2
