import os
import select
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from oca.delivery import line_writer
from oca.delivery.line_writer import LineWriter
from tests.waiting import WAIT_S, until

MUCH = 2**20


def test_writer_appends_to_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    path.write_text("before\n")
    writer = LineWriter(str(path), waiting_bytes_max=MUCH)
    assert writer.write(b"one\ntwo\n")
    assert writer.write(b"three\n")
    writer.close()
    assert path.read_text() == "before\none\ntwo\nthree\n"
    assert (writer.written, writer.lost) == (3, 0)


def test_writer_makes_file_that_others_cannot_read(tmp_path: Path) -> None:
    writer = LineWriter(str(tmp_path / "access.log"), waiting_bytes_max=MUCH)
    writer.write(b"one\n")
    writer.close()
    assert not stat.S_IMODE((tmp_path / "access.log").stat().st_mode) & stat.S_IRWXO


def test_writer_goes_on_in_new_file_after_rename(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    writer = LineWriter(str(path), waiting_bytes_max=MUCH)
    writer.write(b"old\n")
    while writer.written < 1:
        threading.Event().wait(0.005)
    path.rename(tmp_path / "access.log.1")
    writer.write(b"old still\n")
    writer.reopen()
    writer.write(b"new\n")
    writer.close()
    assert (tmp_path / "access.log.1").read_text() == "old\nold still\n"
    assert path.read_text() == "new\n"


async def test_writer_counts_lines_lost_to_full_disk_and_goes_on() -> None:
    writer = LineWriter("/dev/full", waiting_bytes_max=MUCH)
    writer.write(b"one\ntwo\n")
    await until(lambda: writer.lost == 2)
    assert writer.error == "No space left on device"
    writer.write(b"three\n")
    await until(lambda: writer.lost == 3)
    assert writer.written == 0
    writer.close()


async def test_writer_takes_up_file_once_its_folder_is_there(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "access.log"
    writer = LineWriter(str(path), waiting_bytes_max=MUCH)
    writer.write(b"one\n")
    await until(lambda: writer.lost == 1)
    path.parent.mkdir()
    writer.write(b"two\n")
    writer.close()
    assert path.read_text() == "two\n"


async def test_writer_ends_line_that_a_fault_tore(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "access.log"
    real, calls = os.write, 0

    def tear(descriptor: int, data: memoryview) -> int:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise OSError(28, "No space left on device")
        return real(descriptor, data[:2] if calls == 1 else data)

    monkeypatch.setattr("oca.delivery.line_writer.os.write", tear)
    writer = LineWriter(str(path), waiting_bytes_max=MUCH)
    writer.write(b"torn\n")
    await until(lambda: writer.lost == 1)
    writer.write(b"whole\n")
    await until(lambda: writer.written == 1)
    writer.close()
    assert path.read_text() == "to\nwhole\n"


async def test_writer_refuses_more_than_may_wait_and_does_not_hang(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line_writer, "CLOSE_S", 0.1)
    os.mkfifo(tmp_path / "fifo")
    reader = os.open(tmp_path / "fifo", os.O_RDONLY | os.O_NONBLOCK)
    writer = LineWriter(str(tmp_path / "fifo"), waiting_bytes_max=200_000)
    line = b"x" * 999 + b"\n"
    taken = 0
    while writer.write(line * 10):
        taken += 10
        assert taken < 1000
    writer.close()  # nobody reads, so the thread hangs
    got = b""
    await until(lambda: bool(select.select([reader], [], [], 0)[0]))
    while not got.endswith(line * taken):
        if select.select([reader], [], [], 0)[0]:
            got += os.read(reader, 65536)
    assert len(got) == len(line) * taken
    os.close(reader)


@pytest.mark.parametrize("length", [10, 4096, 4097, 9000])
def test_writer_puts_whole_lines_into_pipe_in_one_piece(length: int, monkeypatch: pytest.MonkeyPatch) -> None:
    pieces: list[bytes] = []

    def take(_: int, data: memoryview) -> int:
        pieces.append(bytes(data))
        return len(data)

    monkeypatch.setattr("oca.delivery.line_writer.os.write", take)
    monkeypatch.setattr("oca.delivery.line_writer.stat.S_ISFIFO", lambda _: True)
    writer = LineWriter(line_writer.STANDARD_OUTPUT, waiting_bytes_max=MUCH)
    lines = (b"x" * (length - 1) + b"\n") * 7
    writer.write(lines)
    writer.close()
    assert b"".join(pieces) == lines
    assert all(piece.endswith(b"\n") for piece in pieces)
    assert all(len(piece) <= max(4096, length) for piece in pieces)


def test_writers_in_several_processes_share_a_file(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    code = (
        "import sys\nfrom oca.delivery.line_writer import LineWriter\n"
        f"writer = LineWriter({str(path)!r}, waiting_bytes_max=2**24)\n"
        "for number in range(200):\n    writer.write((sys.argv[1] * 300 + '\\n').encode() * 20)\nwriter.close()\n"
    )
    processes = [subprocess.Popen([sys.executable, "-c", code, letter]) for letter in "abc"]
    assert [process.wait(WAIT_S) for process in processes] == [0, 0, 0]
    lines = path.read_text().splitlines()
    assert len(lines) == 3 * 200 * 20
    assert set(lines) == {letter * 300 for letter in "abc"}
