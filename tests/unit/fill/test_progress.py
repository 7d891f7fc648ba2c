from __future__ import annotations

import io
from typing import Literal

import msgspec
from rich.console import Console
from structlog.testing import capture_logs

from fill.bars import BarDisplay
from fill.progress import LogDisplay, summary
from oca.common.messages import AssetProgress, FillProgress


def progress(
    *,
    at_s: float,
    done: int = 0,
    state: Literal["queued", "fetching", "committed", "failed"] = "fetching",
    failed: int = 0,
) -> FillProgress:
    return FillProgress(
        appliance="fra1-a",
        plan="c" * 32,
        state="running",
        started_at_ns=10**9,
        updated_at_ns=10**9 + int(at_s * 1e9),
        bytes_total=4 * 2**20,
        bytes_done=done,
        assets_total=2,
        assets_done=1,
        assets_failed=failed,
        assets_evicted=3,
        current=[AssetProgress(asset="t/a", state=state, bytes=2**20, bytes_done=done, source="http://peer")],
    )


def test_log_display_writes_a_line_now_and_then() -> None:
    with capture_logs() as lines, LogDisplay() as display:
        for tenths in range(251):
            display.show(progress(at_s=tenths / 10, done=tenths * 10_000))
    assert [line["rate"] for line in lines] == ["800.0 kb/s", "800.0 kb/s"]
    assert lines[0]["assets"] == "1 of 2"
    assert lines[0]["bytes"] == "976.6 KiB of 4.0 MiB"


def test_bar_display_shows_whole_and_assets_on_their_way() -> None:
    screen = io.StringIO()
    renewed: list[bool] = []
    display = BarDisplay(lambda: renewed.append(True), Console(file=screen, force_terminal=True, width=160))
    with display:
        display.show(progress(at_s=1, done=2**19, failed=1))
        display.show(progress(at_s=2, done=2**20, state="committed"))
    shown = screen.getvalue()
    assert "1 of 2 assets, 1 failed" in shown
    assert "t/a" in shown
    assert len(renewed) == 2


def test_summary_is_one_line_with_reason() -> None:
    line = summary(progress(at_s=2, done=2**20))
    assert line == "1 of 2 assets fetched, 1.0 MiB in 2.0 s, 3 evicted"


def test_summary_says_when_nothing_was_missing() -> None:
    idle = msgspec.structs.replace(progress(at_s=1), assets_total=0, assets_done=0, bytes_total=0)
    assert summary(idle) == "everything that the plan names is held already"
    stopped = msgspec.structs.replace(idle, reason="stopped by SIGTERM")
    assert summary(stopped).endswith("; stopped by SIGTERM")
