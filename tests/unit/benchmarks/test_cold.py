import pytest

from benchmarks import cold
from benchmarks.delivery.report import OURS

P99_US = {OURS: (100, 150), cold.AIO[0]: (80, 300), cold.AIO[1]: (90, 120), "nginx": (70, 9000)}
"""All hot, and under cold."""
WINDOWS = [
    cold.Window(server, is_cold, 50, int(p99[is_cold] * off), 400, 900)
    for server, p99 in P99_US.items()
    for is_cold in (False, True)
    for off in (0.5, 1.0, 9.0)
]


@pytest.mark.parametrize(
    ("name", "value", "holds"),
    [
        ("p99 of hot under cold vs all hot", 1.5, True),
        ("p99 of hot under cold vs nginx with aio threads", 1.25, False),
        ("nginx: p99 to first byte, under cold", 9000, None),
        ("oca: p99 to last byte of the cold", 900, None),
    ],
)
def test_cold_compares_medians_with_itself_all_hot_and_with_nginx_at_its_better(
    name: str, value: float, holds: bool | None
) -> None:
    (found,) = (each for each in cold.figures_of(WINDOWS) if each["name"] == name)
    assert (found["value"], found["holds"]) == (value, holds)
