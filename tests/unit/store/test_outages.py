"""What is known of a device that is out lies on every other, and the latest record holds."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from oca.common.errors import StoreError
from oca.store import files
from oca.store.outage import bring_back, take_out
from oca.store.outages import FOLDER, keep, mark, outages, read_records


@pytest.fixture
def folders(make_device: Callable[[str], Path]) -> list[Path]:
    return [make_device(f"nvme{number}") for number in range(3)]


def test_outage_is_known_from_any_device_that_is_left(folders: list[Path]) -> None:
    assert read_records(folders) == {}
    before = mark(folders[0])
    outage = take_out(None, str(folders[1]), "io-error", "why", now_ns=5)
    assert keep(folders, outage) == 3
    assert mark(folders[0]) != before
    for left in ([folders[0]], [folders[2]], folders):
        assert read_records(left) == {str(folders[1]): outage}
    assert outages(folders) == {1: outage}


def test_record_that_was_away_does_not_undo_later_one(folders: list[Path]) -> None:
    outage = take_out(None, str(folders[1]), "io-error", "why", now_ns=5)
    keep(folders, outage)
    back = bring_back(outage, "mended", now_ns=4)
    assert keep(folders[:2], back) == 2  # the third still says that it is out
    assert outages(folders) == {}
    assert read_records(folders)[str(folders[1])] == back


def test_record_passes_over_device_that_takes_none_and_over_damaged_record(folders: list[Path]) -> None:
    outage = take_out(None, str(folders[1]), "io-error", "why", now_ns=5)
    (folders[0] / FOLDER).write_text("a file where the folder should be")
    assert keep([folders[0], folders[2]], outage) == 1
    (folders[2] / FOLDER / "broken.json").write_text("{")
    (folders[2] / FOLDER / "half.json.new").write_text("{")
    assert read_records([folders[2]]) == {str(folders[1]): outage}


def test_device_that_hangs_counts_as_out(folders: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    gate, names = threading.Event(), files.names
    keep(folders, take_out(None, str(folders[2]), "hang", "why", now_ns=5))

    def hang(folder: Path) -> list[str]:
        if folder.parent == folders[1]:
            gate.wait(10)
        return names(folder)

    monkeypatch.setattr(files, "names", hang)
    while 0 in (found := outages(folders, timeout_s=0.2)):
        pass  # it was late, on a busy machine
    gate.set()
    assert [(number, outage.cause) for number, outage in found.items()] == [(1, "hang"), (2, "hang")]
    assert "has not answered" in found[1].said


def test_record_of_device_that_fails_lies_on_it_too_if_it_can(folders: list[Path]) -> None:
    (alone,) = folders[:1]
    outage = take_out(None, str(alone), "hang", "why", now_ns=5)
    assert keep([alone], outage) == 1
    assert outages([alone]) == {0: outage}
    with pytest.raises(StoreError):
        files.require_folder(alone / "none")
