from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from oca.report import past
from oca.report.history import INTERVAL_NS
from oca.report.past import FILE, WRITE_NS, Past
from oca.report.snapshot import Snapshot
from oca.store import files

Make = Callable[..., Snapshot]


async def observed(history: Past, make: Make, *at: int) -> None:
    for at_ns in at:
        history.observe(make(at_ns=at_ns), "serving")
        writing = history._writing
        assert writing is not None
        await writing


async def test_history_is_there_after_a_restart(tmp_path: Path, make_snapshot: Make) -> None:
    first = Past(tmp_path, now_ns=0)
    await observed(first, make_snapshot, 0, INTERVAL_NS)
    second = Past(tmp_path, now_ns=2 * INTERVAL_NS)
    assert second.page() == first.page()
    assert second.page().at_s == [120]


async def test_history_begins_anew_where_its_file_is_damaged(tmp_path: Path, make_snapshot: Make) -> None:
    for damage in (b"", b"{", b"[]", b'{"interval_s": 1}'):
        (tmp_path / FILE).write_bytes(damage)
        assert Past(tmp_path, now_ns=0).page().at_s == []
    await observed(Past(tmp_path, now_ns=0), make_snapshot, 0, INTERVAL_NS)
    assert Past(tmp_path, now_ns=INTERVAL_NS).page().at_s == [120]


async def test_history_goes_on_while_its_device_takes_no_writes(
    tmp_path: Path, make_snapshot: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(past._log, "warning", lambda event, **_: said.append(event))
    history = Past(tmp_path / "gone", now_ns=0)
    await observed(history, make_snapshot, 0, INTERVAL_NS, 2 * INTERVAL_NS)
    assert history.page().at_s == [120, 240]
    assert said == ["the last 48 hours cannot be kept over a restart"]


async def test_history_cut_while_it_is_written_is_the_one_before(
    tmp_path: Path, make_snapshot: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    history = Past(tmp_path, now_ns=0)
    await observed(history, make_snapshot, 0, INTERVAL_NS)

    def killed(source: Path, target: Path) -> None:
        raise KeyboardInterrupt(source, target)

    monkeypatch.setattr(files, "move", killed)
    with pytest.raises(KeyboardInterrupt):
        history._write(history.page())
    assert Past(tmp_path, now_ns=INTERVAL_NS).page().at_s == [120]


async def test_history_is_written_every_ten_seconds_at_most(tmp_path: Path, make_snapshot: Make) -> None:
    history = Past(tmp_path, now_ns=0)
    await observed(history, make_snapshot, WRITE_NS)
    history.observe(make_snapshot(at_ns=WRITE_NS + 10**9), "draining")
    first = history._writing
    assert first is not None
    assert first.done()
    await observed(history, make_snapshot, 2 * WRITE_NS)
    assert history._writing is not first
    assert [change.serving for change in Past(tmp_path, now_ns=2 * WRITE_NS).page().changes] == [
        "serving",
        "draining",
        "serving",
    ]
