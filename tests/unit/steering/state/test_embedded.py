"""What is LMDB's own; what every engine promises is in test_store.py."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import lmdb
import pytest

from oca.common.errors import ConfigError, SteeringError
from steering.state.embedded import EmbeddedState
from tests.waiting import WAIT_S


def test_state_says_when_it_is_full(tmp_path: Path) -> None:
    small = EmbeddedState.open(tmp_path / "small", bytes_max=2**20)
    with pytest.raises(SteeringError, match=r"is full; raise state\.bytes_max"), small.write() as transaction:
        transaction.put("big", b"x" * 2**21)
    assert small.get("big") is None
    small.close()


def test_state_moves_its_version_for_other_process(state: EmbeddedState, tmp_path: Path) -> None:
    before = state.version()
    script = (
        "import sys; from pathlib import Path; from steering.state.embedded import EmbeddedState\n"
        "opened = EmbeddedState.open(Path(sys.argv[1]), bytes_max=2**26)\n"
        "with opened.write() as transaction: transaction.put('from', b'beside')\n"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path / "state")], check=True, timeout=WAIT_S)
    assert state.version() > before
    assert state.get("from") == b"beside"


def test_state_refuses_folder_it_cannot_make(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(ConfigError, match=r"state\.path = .*file/state.*Not a directory"):
        EmbeddedState.open(tmp_path / "file" / "state", bytes_max=2**26)


def test_state_refuses_other_format(state: EmbeddedState, tmp_path: Path) -> None:
    with state.write() as transaction:
        transaction.put("about/format", b"7")
    state.close()
    with pytest.raises(ConfigError, match="has format 7, wanted 1"):
        EmbeddedState.open(tmp_path / "state", bytes_max=2**26)


class FaultyEnvironment:
    """Refuses what a damaged or crowded LMDB refuses."""

    def __init__(self, error: lmdb.Error) -> None:
        self.error = error

    def begin(self, **_: object) -> None:
        raise self.error

    def info(self) -> None:
        raise self.error

    def reader_check(self) -> None:
        raise self.error


READS: list[Callable[[EmbeddedState], object]] = [
    lambda state: state.get("a"),
    lambda state: list(state.scan("a")),
    lambda state: state.version(),
    lambda state: state.free_readers(),
]


@pytest.mark.parametrize("read", READS)
def test_state_explains_failed_read(read: Callable[[EmbeddedState], object], tmp_path: Path) -> None:
    state = EmbeddedState(FaultyEnvironment(lmdb.CorruptedError("page")), tmp_path)
    with pytest.raises(SteeringError, match=rf"the state in {tmp_path} cannot be read: page.*; check the .* its disk"):
        read(state)


@pytest.mark.parametrize(
    ("error", "wanted"),
    [
        (lmdb.ReadersFullError("readers"), "too many read the state in .*; end some of the commands"),
        (lmdb.MapResizedError("map"), "the state in .* was grown by another process; set state.bytes_max alike"),
    ],
)
def test_state_knows_remedy_of_read_that_was_refused(error: lmdb.Error, wanted: str, tmp_path: Path) -> None:
    with pytest.raises(SteeringError, match=wanted):
        EmbeddedState(FaultyEnvironment(error), tmp_path).get("a")


def test_state_that_is_cut_short_is_an_error_not_a_signal(state: EmbeddedState, tmp_path: Path) -> None:
    with state.write() as transaction:
        transaction.put("a", b"x" * 100_000)
    state.close()
    (data,) = tmp_path.rglob("data.mdb")
    os.truncate(data, 16384)
    script = f"""
from pathlib import Path
from oca.common.errors import ConfigError
from steering.state.embedded import EmbeddedState
try:
    EmbeddedState.open(Path({str(data.parent)!r}), bytes_max=2**24).get("a")
except ConfigError as error:
    print(error)
"""
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=WAIT_S)
    assert (run.returncode, run.stderr) == (0, "")
    assert "is damaged: it is cut short" in run.stdout


def test_state_frees_slots_of_dead_readers_when_opened(tmp_path: Path) -> None:
    kept = EmbeddedState.open(tmp_path, bytes_max=2**26)
    script = (
        "import os, sys; from pathlib import Path; from steering.state.embedded import EmbeddedState\n"
        "scan = EmbeddedState.open(Path(sys.argv[1]), bytes_max=2**26).scan('')\n"
        "next(scan); os._exit(0)\n"
    )
    dead = [sys.executable, "-c", script, str(tmp_path)]
    subprocess.run(dead, check=True, timeout=WAIT_S)
    assert kept.free_readers() == 1
    subprocess.run(dead, check=True, timeout=WAIT_S)
    subprocess.run([*dead[:2], script.replace("next(scan); os._exit(0)", "pass"), dead[3]], check=True, timeout=WAIT_S)
    assert kept.free_readers() == 0
    kept.close()
