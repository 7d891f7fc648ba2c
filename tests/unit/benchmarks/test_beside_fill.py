from __future__ import annotations

import pytest

from benchmarks.beside_fill import Window, figures_of

ALONE_P99_US, BESIDE_P99_US = (100, 200, 1000), (110, 300, 1100)
WINDOWS = [
    Window(filling, 5e6 * filling, 10, p99, 20, 2 * p99)
    for both in zip(ALONE_P99_US, BESIDE_P99_US, strict=True)
    for filling, p99 in zip((False, True), both, strict=True)
]


@pytest.mark.parametrize(
    ("name", "value", "holds"),
    [
        ("fill beside viewers: rate", 5.0, None),
        ("viewers' p99 to first byte from memory, no fill", 200, None),
        ("viewers' p99 to first byte from memory, beside a fill", 300, None),
        ("viewers' p99 to first byte from memory, beside a fill ÷ without", 1.1, True),
        ("viewers' p50 to last byte from device, beside a fill ÷ without", 1.0, None),
    ],
)
def test_figures_compare_neighbouring_windows(name: str, value: float, holds: bool | None) -> None:
    (found,) = (each for each in figures_of(WINDOWS) if each["name"] == name)
    assert (found["value"], found["holds"]) == (value, holds)


def test_figures_say_when_a_fill_is_noticed() -> None:
    slow = [Window(filling, 1.0, 10, 10, 20, 200 if filling else 100) for filling in (False, True)]
    (found,) = (
        each
        for each in figures_of(slow)
        if each["name"].endswith("p99 to last byte from device, beside a fill ÷ without")
    )
    assert (found["value"], found["holds"]) == (2.0, False)
