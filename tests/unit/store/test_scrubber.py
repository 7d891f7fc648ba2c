"""The scrub finds what has rotted, at its rate, goes on where it was, and leaves alone what is out."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from oca.common.errors import StoreError
from oca.store.direct import DirectReader
from oca.store.scrub_messages import Begin, Found, Progress, Suspect, Trouble, Up, decode_up, line
from oca.store.scrub_position import decode
from oca.store.scrubber import DeviceScrub
from oca.store.store import Store
from tests.unit.store.made_up import flip_byte, hold
from tests.waiting import WAIT_S

FAST = 10**9


@pytest.fixture
def filled(device: Path) -> Path:
    with closing(Store.open([device])) as store:
        for number in range(4):
            hold(store, f"film/v{number}")
    return device


def begin(device: Path, rate: int = FAST, **more: float) -> Begin:
    return Begin(devices=(str(device),), rate_bytes_per_s=rate, interval_s=more.get("interval_s", 3600.0))


def scrub(device: Path, said: list[Up], rate: int = FAST) -> DeviceScrub:
    return DeviceScrub(0, begin(device, rate), said.append)


def whole_pass(one: DeviceScrub, said: list[Up]) -> None:
    while not any(isinstance(each, Progress) and each.passed_at_ns for each in said):
        one.step()


def test_scrub_finds_rot_and_takes_asset_out_of_service(filled: Path) -> None:
    said: list[Up] = []
    whole_pass(scrub(filled, said), said)
    assert not [each for each in said if isinstance(each, Found)]
    assert sum(each.read_bytes for each in said if isinstance(each, Progress)) == 4 * 20042
    flip_byte(filled / "packs" / "00000003.pack", 4096 + 8192 + 4999)
    (filled / "scrub").unlink()
    said.clear()
    whole_pass(scrub(filled, said), said)
    (found,) = [each for each in said if isinstance(each, Found)]
    assert (found.asset, found.kind, found.why_not) == ("film/v2", "damaged", "")
    assert found.what == "/film/v2/seg-00001.m4s: its bytes do not match its digest"
    with closing(Store.open([filled])) as store:
        assert [held.asset for held in store.assets()] == ["film/v0", "film/v1", "film/v3"]


def test_scrub_goes_on_where_it_was_and_waits_for_its_interval(filled: Path) -> None:
    said: list[Up] = []
    one = scrub(filled, said)
    one.step()
    one.step()
    one._keep()
    assert decode((filled / "scrub").read_bytes()).next_pack == 3
    said.clear()
    again = scrub(filled, said)
    whole_pass(again, said)
    assert sum(each.packs for each in said if isinstance(each, Progress)) == 2
    assert again.step() == 60.0
    assert scrub(filled, said).step() == 60.0


def test_scrub_proves_suspect_before_all_others(filled: Path) -> None:
    said: list[Up] = []
    flip_byte(filled / "packs" / "00000004.pack", 5000)
    one = scrub(filled, said)
    one.suspect("film/v3")
    one.suspect("film/none")
    one.step()
    assert [each.asset for each in said if isinstance(each, Found)] == ["film/v3"]
    one.step()


def test_scrub_quarantines_what_cannot_be_read(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = DirectReader.parts

    def fail(reader: DirectReader, offset: int, length: int) -> Iterator[memoryview]:
        if reader._path.name == "00000002.pack" and offset > 4096:
            raise StoreError(f"{reader._path}: cannot read", remedy="x") from OSError(errno.EIO, "x")
        return read(reader, offset, length)

    monkeypatch.setattr(DirectReader, "parts", fail)
    said: list[Up] = []
    whole_pass(scrub(filled, said), said)
    assert [(each.asset, each.kind) for each in said if isinstance(each, Found)] == [("film/v1", "unreadable")]
    assert [path.name for path in (filled / "quarantine").iterdir()] == ["00000002.unreadable"]


def test_scrub_blames_no_pack_for_want_of_descriptors(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = os.open

    def fail(path: Path, flags: int, mode: int = 0) -> int:
        if Path(path).suffix == ".pack":
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return opened(path, flags, mode)

    monkeypatch.setattr(os, "open", fail)
    said: list[Up] = []
    whole_pass(scrub(filled, said), said)
    found = [each for each in said if isinstance(each, Found)]
    assert {each.kind for each in found} == {"device"}
    assert all(each.why_not for each in found)
    monkeypatch.undo()
    with closing(Store.open([filled])) as store:
        assert len(store.assets()) == 4


def test_scrub_reads_no_faster_than_its_rate(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    said: list[Up] = []
    one = scrub(filled, said, rate=20_000)
    monkeypatch.setattr("oca.store.scrubber.monotonic_s", lambda: sum(waits))
    monkeypatch.setattr(one._ending, "wait", waits.append)
    whole_pass(one, said)
    assert sum(waits) == pytest.approx(4 * 20042 / 20_000)


def test_scrub_thread_leaves_device_alone_that_is_out_and_ends_at_once(filled: Path) -> None:
    said: list[Up] = []
    one = DeviceScrub(0, begin(filled), said.append)
    one.leave_out(is_out=True)
    thread = threading.Thread(target=one.run)
    thread.start()
    one.suspect("film/v0")
    one.end()
    thread.join(10)
    assert not thread.is_alive()
    assert said == []
    assert not (filled / "scrub").exists()


def test_scrub_tells_device_that_cannot_be_looked_at(tmp_path: Path) -> None:
    said: list[Up] = []
    one = DeviceScrub(0, begin(tmp_path / "gone"), said.append)
    one._say = lambda message: (said.append(message), one.end())[0]  # type: ignore[func-returns-value]
    one.run()
    assert isinstance(said[0], Trouble)
    assert "No such file" in said[0].said


def test_scrubber_process_is_idle_and_ends_with_its_input(filled: Path) -> None:
    flip_byte(filled / "packs" / "00000001.pack", 5000)
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "oca.store.scrubber"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(line(begin(filled)) + line(Suspect(device=0, asset="film/v0")))
    process.stdin.flush()
    said: list[Up] = []
    while not any(isinstance(each, Progress) and each.passed_at_ns for each in said):
        said.append(decode_up(process.stdout.readline()))
    assert [each.asset for each in said if isinstance(each, Found)] == ["film/v0"]
    nice, io_class = idleness(process.pid)
    assert nice == 19
    assert io_class == "idle"
    process.stdin.close()
    assert process.wait(WAIT_S) == 0
    process.stdout.close()
    assert decode((filled / "scrub").read_bytes()).passed_at_ns > 0


def idleness(pid: int) -> tuple[int, str]:
    """Priority of every thread of a process, which are alike."""
    threads = [int(path.name) for path in Path(f"/proc/{pid}/task").iterdir()]
    told = {(os.getpriority(os.PRIO_PROCESS, each), ionice(each)) for each in threads}
    assert len(told) == 1, told
    return told.pop()


def ionice(thread: int) -> str:
    run: Callable[..., subprocess.CompletedProcess[str]] = subprocess.run
    return run(["ionice", "-p", str(thread)], capture_output=True, text=True, check=True).stdout.split(":")[0].strip()
