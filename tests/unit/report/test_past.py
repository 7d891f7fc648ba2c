from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from oca.report import past
from oca.report.history import INTERVAL_NS
from oca.report.past import FILE, WRITE_NS, Past
from oca.report.snapshot import Snapshot
from oca.store import files
from tests.waiting import WAIT_S

Make = Callable[..., Snapshot]


@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Path]]:
    """What is opened, and hangs until the end."""
    gate, asked = threading.Event(), list[Path]()

    def hang(path: Path) -> int | None:
        asked.append(path)
        gate.wait(30)
        return None

    monkeypatch.setattr(files, "open_read", hang)
    monkeypatch.setattr(past, "ANSWER_S", 0.05)
    yield asked
    gate.set()


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


async def test_looks_at_nights_of_a_device_that_hangs_ask_it_once(
    tmp_path: Path, hanging: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(files, "open_read", lambda _: None)
        patch.setattr(past, "ANSWER_S", WAIT_S)
        history = Past(tmp_path, now_ns=0)
    async with asyncio.timeout(WAIT_S):
        seen = [*await asyncio.gather(history.nights(), history.nights()), await history.nights()]
    assert all(f"{tmp_path} has not answered for " in page.why for page in seen)
    assert len(hanging) == 1


async def test_history_begins_anew_where_its_device_hangs(
    tmp_path: Path, hanging: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(past._log, "warning", lambda _event, **fields: said.append(fields["why"]))
    async with asyncio.timeout(WAIT_S):
        history = await asyncio.to_thread(lambda: Past(tmp_path, now_ns=0))
    assert history.page().at_s == []
    (why,) = said
    assert re.fullmatch(r"has not answered for \d+ s; see the kernel log", why)
    assert hanging == [tmp_path / FILE]
