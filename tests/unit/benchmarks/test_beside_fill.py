from __future__ import annotations

import pytest

from benchmarks.beside_fill import KINDS, Window, figures_of

P99_US = ((100, 110, 90), (200, 300, 200), (1000, 1100, 1500))
"""Of each kind of window, in three turns."""
WINDOWS = [
    Window(kind, 5e6 * (kind != KINDS[0]), 10, p99, 20, 2 * p99, 15, 3 * p99)
    for turn in P99_US
    for kind, p99 in zip(KINDS, turn, strict=True)
]


@pytest.mark.parametrize(
    ("name", "value", "holds"),
    [
        ("rate of a fill, viewers beside it", 5.0, None),
        ("viewers' p99 to first byte from memory, no fill", 200, None),
        ("viewers' p99 to first byte from memory, beside a fill", 300, None),
        ("viewers' p99 to first byte from memory, beside a fill ÷ without", 1.1, True),
        ("viewers' p99 to first byte from memory, beside a fill on the other core ÷ without", 1.0, True),
        ("viewers' p50 to last byte from device, beside a fill ÷ without", 1.0, None),
        ("viewers' p99 to first byte, all, beside a fill", 900, None),
    ],
)
def test_figures_compare_neighbouring_windows(name: str, value: float, holds: bool | None) -> None:
    (found,) = (each for each in figures_of(WINDOWS) if each["name"] == name)
    assert (found["value"], found["holds"]) == (value, holds)


def test_figures_say_when_a_fill_is_noticed() -> None:
    slow = [Window(kind, 1.0, 10, 10, 20, 200 if kind == KINDS[1] else 100, 15, 30) for kind in KINDS]
    (found,) = (
        each
        for each in figures_of(slow)
        if each["name"].endswith("p99 to last byte from device, beside a fill ÷ without")
    )
    assert (found["value"], found["holds"]) == (2.0, False)
