from datetime import UTC, timedelta

from oca.common.clock import monotonic_s, now_ns, now_s, utc_now


def test_clock_tells_one_instant_in_every_form() -> None:
    before = now_ns()
    instant = utc_now()
    after = now_s()
    assert instant.tzinfo is UTC
    assert before / 1e9 - 0.001 <= instant.timestamp() <= after + 0.001
    assert instant.utcoffset() == timedelta(0)


def test_clock_for_intervals_never_steps_back() -> None:
    readings = [monotonic_s() for _ in range(100)]
    assert readings == sorted(readings)
