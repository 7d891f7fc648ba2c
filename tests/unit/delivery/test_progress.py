import pytest

from oca.delivery.progress import Pace, Progress

PACE = Pace(stalled_s=30, bytes_per_s=1000, window_s=20)
Sample = tuple[float, int, int]
"""Seconds, bytes acknowledged, bytes that lie in the socket."""


@pytest.mark.parametrize(
    ("samples", "verdict"),
    [
        # It takes what is asked, or more.
        ([(10, 10_000, 90_000), (20, 20_000, 80_000), (40, 40_000, 60_000)], "fine"),
        # A byte a second never stalls, and is too slow when the window ends.
        ([(10, 10, 99_990)], "fine"),
        ([(10, 10, 99_990), (20, 20, 99_980)], "slow"),
        # Fast once and slow now: each window counts for itself.
        ([(20, 100_000, 100_000), (30, 100_010, 99_990), (40, 100_020, 99_980)], "slow"),
        ([(15, 0, 100_000)], "fine"),
        ([(30.1, 0, 100_000)], "stalled"),
        # All that lay ready at the window's begin was taken: we gave it no more.
        ([(20, 100_000, 0), (40, 100_000, 0)], "fine"),
        ([(20, 100_000, 500), (40, 100_500, 70_000)], "fine"),
        ([(20, 100_000, 0), (40, 100_000, 0), (51, 100_000, 0)], "stalled"),
    ],
)
def test_progress_judges_what_was_acknowledged(samples: list[Sample], verdict: str) -> None:
    progress = Progress(0, 100_000, 0)
    *before, (now_s, acknowledged, queued) = samples
    assert all(progress.judge(acked, left, at_s, PACE) == "fine" for at_s, acked, left in before)
    assert progress.judge(acknowledged, queued, now_s, PACE) == verdict


def test_pace_samples_often_enough_for_both_limits() -> None:
    assert PACE.sample_s == 5
    assert Pace(stalled_s=2, bytes_per_s=0, window_s=20).sample_s == 0.5
