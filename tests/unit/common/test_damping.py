from oca.common.damping import RETURNS_MAX, damped_s


def test_time_grows_fourfold_with_each_return_up_to_its_most() -> None:
    assert [damped_s(2.0, returns, most_s=100.0) for returns in range(5)] == [2.0, 8.0, 32.0, 100.0, 100.0]


def test_time_is_no_number_too_large_after_very_many_returns() -> None:
    assert damped_s(1e-30, 10**6, most_s=1.0) == damped_s(1e-30, RETURNS_MAX, most_s=1.0) < 1.0
