from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import ibis
import numpy as np
import pytest

from oca.common.digest import digest_bytes
from oca.common.errors import SteeringError
from steering.history import columns, files, queries
from steering.history.columns import KeptDay
from steering.history.daily import Day
from steering.plan.names import Numbers
from steering.plan.watched import Watched

DAY = Day(["a", "b"], ["t/a", "t/b", "u/ü"], Watched.of_dense(np.array([[1.0, 0, 2.0**52], [0, 5, 0]])))
NONE = Watched.of_dense(np.zeros((0, 0)))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / columns.name_of(["1", "2"])
    columns.keep(path, DAY)
    return path


@contextmanager
def opened(path: Path) -> Iterator[KeptDay]:
    kept = columns.open_kept(path)
    assert kept is not None
    with closing(kept):
        yield kept


def test_kept_day_is_the_day(path: Path) -> None:
    with opened(path) as kept:
        assert (kept.sites, kept.assets, kept.entries) == (DAY.sites, DAY.assets, DAY.entries)
        assert kept.numbers.places_in(Numbers.of(["u/ü", "t/a"])).tolist() == [1, -1, 0]
        for first, last in (("a", "b"), ("a", "a"), ("b", "z"), ("c", "z")):
            found, wanted = kept.between(first, last), DAY.between(first, last)
            assert found.sites == wanted.sites
            assert found.wanted.dense().tolist() == wanted.wanted.dense().tolist()
    assert kept.file.closed


def test_names_are_those_of_the_files_in_whatever_order() -> None:
    assert columns.name_of(["1", "2"]) == columns.name_of(["2", "1"]) != columns.name_of(["1"])


def test_nothing_is_kept_of_an_empty_day(tmp_path: Path) -> None:
    columns.keep(tmp_path / "x", Day([], [], NONE))
    with opened(tmp_path / "x") as kept:
        assert kept.between("a", "z").wanted.clusters == 0


def changed(path: Path, change: Callable[[bytes], bytes]) -> None:
    path.write_bytes(change(path.read_bytes()))


def of_other_release(raw: bytes) -> bytes:
    other = raw[:-16].replace(b"columns3", b"columns9", 1)
    return other + digest_bytes(other)


def test_columns_of_a_query_that_meant_something_else_are_none(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was made of hours counted in another way is no demand of this release."""
    hours = queries._hours
    monkeypatch.setattr(queries, "_hours", lambda: hours().mutate(wanted=ibis._.sent + ibis._.elsewhere))
    columns._begin.cache_clear()
    assert columns.open_kept(path) is None
    monkeypatch.undo()
    columns._begin.cache_clear()
    with opened(path):
        pass


@pytest.mark.parametrize(
    "change",
    [
        lambda _: b"",
        lambda raw: raw[:10],
        lambda raw: raw[:-1],
        lambda raw: raw + b"x",
        lambda raw: raw[:40] + bytes([raw[40] ^ 1]) + raw[41:],
        of_other_release,
    ],
)
def test_columns_that_are_not_as_written_are_none(path: Path, change: Callable[[bytes], bytes]) -> None:
    changed(path, change)
    assert columns.open_kept(path) is None


@pytest.mark.parametrize("end", [Path.unlink, lambda path: columns.keep(path, Day([], [], NONE))])
def test_kept_day_is_the_day_after_its_file_was_removed_or_replaced(path: Path, end: Callable[[Path], None]) -> None:
    with opened(path) as kept:
        end(path)
        assert kept.between("a", "b").wanted.dense().tolist() == DAY.wanted.dense().tolist()


def test_columns_that_are_gone_are_none_and_those_that_are_cut_while_read_are_an_error(path: Path) -> None:
    with opened(path) as kept:
        changed(path, lambda raw: raw[:100])
        with pytest.raises(SteeringError, match=r"\.columns cannot be read: it ends before byte"):
            kept.between("a", "b")
    path.unlink()
    assert columns.open_kept(path) is None


def test_columns_that_cannot_be_read_are_none(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> bytes:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(files, "piece", broken)
    assert columns.open_kept(path) is None


def test_columns_killed_as_they_are_written_are_none(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = path.with_name("other")

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        columns.keep(other, DAY)
    assert columns.open_kept(other) is None
    assert list(path.parent.iterdir()) == [path]


def test_columns_for_which_there_is_no_space_leave_no_part_of_themselves(path: Path) -> None:
    def pieces() -> Iterator[bytes]:
        yield b"x" * 100_000
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(SteeringError, match="cannot be written: No space left on device"):
        files.put_proved(path.with_name("other"), pieces())
    assert list(path.parent.iterdir()) == [path]
