import errno
import os
import threading
from pathlib import Path

import pytest

from oca.store import files
from oca.store.store import Store
from oca.store.trial import trial
from tests.unit.store.made_up import flip_byte, hold


@pytest.fixture
def filled(device: Path) -> Path:
    store = Store.open([device])
    hold(store)
    hold(store, "a/other")
    store.close()
    return device


def test_trial_passes_device_that_works(filled: Path) -> None:
    assert trial(0, filled) == ""


def test_trial_passes_empty_device_put_in_the_place_of_a_broken_one(device: Path) -> None:
    assert trial(0, device) == ""


def test_trial_tells_why_device_cannot_be_used(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "No such file" in trial(0, filled / "gone")
    read = os.pread

    def fail(descriptor: int, count: int, offset: int) -> bytes:
        if Path(f"/proc/self/fd/{descriptor}").readlink().name == "00000002.pack":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return read(descriptor, count, offset)

    monkeypatch.setattr(os, "pread", fail)
    assert trial(0, filled).endswith("00000002.pack: cannot read: Input/output error")
    monkeypatch.undo()
    flip_byte(filled / "packs" / "00000001.pack", 30)
    assert "its header is damaged" in trial(0, filled)


def test_trial_waits_only_so_long_for_device_that_hangs(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = threading.Event()
    monkeypatch.setattr(files, "rewrite", lambda _path: gate.wait(10))
    assert trial(0, filled, timeout_s=0.2).startswith("has not answered for ")
    gate.set()
