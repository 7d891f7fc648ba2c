from typing import Any

import pytest

from oca.delivery.cmcd import Told
from oca.delivery.pacing import UNPACED, Pace
from oca.delivery.pacing_settings import PacingTable

MBIT = 125_000
AFTER = 10**9


def pace(told: Told | None, *, current: int = UNPACED, sent_bytes: int = AFTER, **settings: Any) -> float:
    """Mbit/s that the rule gives."""
    table = PacingTable(**{"mode": "cmcd", "floor_mbits_per_s": 2.0, "ceiling_mbits_per_s": 50.0, **settings})
    return Pace(table).rate(told, current=round(current * MBIT), sent_bytes=sent_bytes) / MBIT


@pytest.mark.parametrize(
    ("told", "settings", "mbits"),
    [
        (Told(12_000), {}, 12),
        (Told(12_000), {"factor": 1.5}, 18),
        (Told(500), {}, 2),
        (Told(900_000), {}, 50),
        (Told(12_000, urgent=True), {}, 0),
        (Told(12_000, starved=True), {"burst_mbits_per_s": 80.0}, 80),
        (Told(bitrate=3000), {}, 0),
        (None, {}, 0),
        (None, {"mode": "always", "default_mbits_per_s": 25.0}, 25),
        (Told(), {"mode": "always", "default_mbits_per_s": 25.0}, 25),
        (Told(4000), {"mode": "always", "default_mbits_per_s": 25.0}, 4),
    ],
)
def test_pace_follows_what_player_tells(told: Told | None, settings: dict[str, Any], mbits: float) -> None:
    assert pace(told, **settings) == mbits


def test_pace_lets_first_bytes_of_connection_burst() -> None:
    assert pace(Told(12_000), sent_bytes=2**20 - 1) == 0
    assert pace(Told(12_000), sent_bytes=2**20) == 12
    assert pace(None, sent_bytes=0, mode="always", burst_mbits_per_s=60.0) == 60
    assert pace(None, current=60, mode="always", burst_mbits_per_s=60.0, default_mbits_per_s=25.0) == 25


def test_pace_stays_where_request_tells_nothing_new() -> None:
    assert pace(None, current=12) == 12
    assert pace(Told(), current=12, mode="always") == 12


def test_pace_leaves_small_changes_undone() -> None:
    assert pace(Told(12_900), current=12) == 12
    assert pace(Told(11_100), current=12) == 12
    assert pace(Told(13_500), current=12) == 13.5
    assert pace(Told(12_100), current=12, change_min_ratio=0.0) == 12.1
    # From no pace to one, and back, is never small.
    assert pace(Told(12_000), current=0, change_min_ratio=1.0) == 12
    assert pace(Told(1, urgent=True), current=12, change_min_ratio=1.0) == 0
