import msgspec
import pytest

from oca.report.health_settings import HealthTable


def test_health_settings_hold_together_as_they_come() -> None:
    assert HealthTable().hold_s == 15


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("cpu_ratio_leave", 0.96, "cpu_ratio_leave = 0.96 is above cpu_ratio_enter = 0.95; lower it"),
        (
            "memory_available_ratio_leave",
            0.04,
            "memory_available_ratio_leave = 0.04 is below memory_available_ratio_enter = 0.05; raise it",
        ),
        ("certificate_left_leave_s", 1.0, "certificate_left_leave_s = 1.0 is below certificate_left_enter_s"),
        ("worker_restarts_leave", 3, "worker_restarts_leave = 3 is above worker_restarts_enter = 2"),
        ("error_ratio_enter", 1.5, "<= 1.0"),
    ],
)
def test_health_settings_refuse_limit_that_is_left_on_wrong_side(key: str, value: float, said: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=said):
        msgspec.convert({key: value}, HealthTable)
