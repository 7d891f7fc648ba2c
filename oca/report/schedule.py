"""When the next report goes out, and what its answer tells of the clock. Pure: chance is a number in [0, 1)."""

from __future__ import annotations

JITTER_RATIO = 0.1
RETRY_FIRST_S = 0.5
RETRY_S_MAX = 5.0


def next_report_in_s(interval_s: float, failures: int, chance: float) -> float:
    """Seconds to wait after a report.

    Args:
        interval_s: Between reports while all is well; spread by ±10 % so that a fleet does not report in step.
        failures: Reports in a row that steering did not take. The wait doubles from 0.5 s but stays below 5 s (and
            the interval): an appliance is to be back in the fleet seconds after steering is.
        chance: In [0, 1).
    """
    if failures == 0:
        return interval_s * (1 - JITTER_RATIO + 2 * JITTER_RATIO * chance)
    ceiling = min(RETRY_S_MAX, interval_s, RETRY_FIRST_S * 2.0 ** min(failures - 1, 10))
    return ceiling * (0.5 + 0.5 * chance)


def clock_ahead_s(sent_at_ns: int, answered_at_ns: int, received_at_ns: int) -> float:
    """How far our clock is ahead of the answering one, as far as the way there and back leaves no doubt.

    Args:
        sent_at_ns: By our clock, when the question went out.
        answered_at_ns: By the other clock.
        received_at_ns: By ours, when the answer came.

    Returns:
        Seconds; 0 where the other clock lay between the two; below 0 where ours is behind.
    """
    if answered_at_ns < sent_at_ns:
        return (sent_at_ns - answered_at_ns) / 1e9
    return min(0, received_at_ns - answered_at_ns) / 1e9
