from __future__ import annotations

from datetime import UTC, datetime, time
from pathlib import Path

import pytest

from fill.gate import Gate
from fill.night import Night
from fill.settings import Configuration, FillSettings
from fill.state import FillState
from fill.tables import FillTable
from fill.window import Span, every_day
from oca.common import clock
from oca.common.box import ApplianceTable, Box, SteeringTable
from oca.common.identity import Credentials
from oca.store.fill_record import Pause

NOON = datetime(2026, 1, 10, 12, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def noon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "utc_now", lambda: NOON)


def gate(device: Path, *, ignore_window: bool = False, window_rate: int = 0, **fill: int) -> Gate:
    configuration = Configuration(
        own=FillSettings(fill=FillTable(**fill)),
        box=Box(appliance=ApplianceTable(id="fra1-a", site="fra1")),
        window=every_day(Span(time(22), time(13), window_rate), UTC),
        devices=(device,),
        credentials=Credentials(SteeringTable(identity_file=""), "fra1-a"),
    )
    return Gate(configuration, FillState(device), ignore_window=ignore_window)


def test_gate_keeps_to_window_unless_told_to_fill_now(device: Path) -> None:
    assert gate(device).look().opened
    assert gate(device).look().night == "2026-01-09", "the night is that on which the window opened"
    now = gate(device, ignore_window=True).look()
    assert (now.opened, now.until, now.why) == (True, None, "told to fill now")


def test_gate_takes_cap_of_window_before_the_general_one(device: Path) -> None:
    assert gate(device, rate_bytes_per_s_max=9, window_rate=5).rate_bytes_per_s_max() == 5
    assert gate(device, rate_bytes_per_s_max=9).rate_bytes_per_s_max() == 9


def test_gate_is_closed_by_pause_whatever_the_window(device: Path) -> None:
    FillState(device).begin_pause(Pause(since_ns=0, until_ns=2**62, why="works on the ring"))
    state = gate(device, ignore_window=True).look()
    assert (state.opened, state.urgent_allowed) == (False, False)
    assert state.why.startswith("paused by an operator at 1970-01-01 00:00:00Z until 2116-")
    assert state.why.endswith(": works on the ring; 'oca-fill resume' ends it")


def test_gate_goes_on_where_a_pause_cannot_be_read(device: Path) -> None:
    (device / "fill").mkdir()
    (device / "fill" / "pause.json").write_text("nonsense")
    assert gate(device).look().opened


def test_gate_counts_what_the_night_has_fetched(device: Path) -> None:
    night = Night(night="2026-01-09", started_at_ns=0, ended_at_ns=0, bytes_by_source={"peer": 30, "origin": 40})
    FillState(device).keep([night])
    limited = gate(device, night_bytes_max=100)
    assert limited.bytes_left("2026-01-09") == 30
    assert limited.bytes_left("2026-01-10") == 100
    assert gate(device).bytes_left("2026-01-09") is None
    assert gate(device, night_bytes_max=50).bytes_left("2026-01-09") == 0
