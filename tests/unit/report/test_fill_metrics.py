from __future__ import annotations

from msgspec.structs import replace

from oca.report.fill_metrics import FILL, fill_values
from oca.store.fill_record import FillFigures, with_progress
from tests.unit.store.test_fill_record import BEFORE, RUNNING

DONE = replace(RUNNING, state="done")


def test_fill_values_are_those_declared() -> None:
    figures = with_progress(BEFORE, DONE, bytes_in=290)
    shown = fill_values(DONE, figures, 0)
    assert shown.keys() <= {key for family in FILL for key in family.keys()}  # noqa: SIM118 - a Family is no mapping
    assert shown["fill_fetched_bytes:peer"] == 250
    assert shown["fill_done_seconds"] == 2
    assert (shown["fill_wanted_bytes"], shown["fill_present_bytes"], shown["fill_running"]) == (900, 300, 0)
    assert fill_values(RUNNING, figures, RUNNING.updated_at_ns)["fill_running"] == 1
    assert set(fill_values(None, FillFigures(), 0).values()) == {0}
