from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oca.common.errors import SteeringError
from steering.history import files, log
from steering.history.log import aside, compact, drop_before, fault, flush, listed, set_aside, sweep
from steering.history.queries import SUMS
from steering.state.embedded import EmbeddedState
from steering.state.store import StateTransaction
from tests.unit.steering.history.made_up import HOUR_NS, TODAY, Preceded, Told, bytes_by_day, local
from tests.unit.steering.made_up import NOW_NS, daily_bytes

YEAR_S = 365 * 86400


@pytest.fixture
def told(state: EmbeddedState) -> Told:
    return Told(state)


def flushed(state: EmbeddedState, folder: Path, *, later_h: float = 0, rows_max: int = 1000) -> int | None:
    return flush(state, folder, local(folder), now_ns=NOW_NS + int(later_h * HOUR_NS), rows_max=rows_max)


def test_flush_takes_hours_that_are_over(state: EmbeddedState, told: Told, tmp_path: Path) -> None:
    told.demand(0, t__a=(1, 5))
    told.demand(2, t__a=(1, 10), t__b=(2, 20))
    told.demand(30, t__a=(1, 100))
    assert flushed(state, tmp_path) == 3
    assert bytes_by_day(state, tmp_path) == {1: 30, 2: 100}
    assert daily_bytes(state)["metro"] == {"t/a": {TODAY + 719163: 5}}
    assert flushed(state, tmp_path, later_h=1) == 0, "batches of the last hour may be on their way"
    assert flushed(state, tmp_path, later_h=1.2) == 1
    assert bytes_by_day(state, tmp_path) == {0: 5, 1: 30, 2: 100}
    assert daily_bytes(state) == {}


def test_flush_takes_late_batches_of_the_same_hour_later(state: EmbeddedState, told: Told, tmp_path: Path) -> None:
    for _ in range(2):
        told.demand(30, t__a=(1, 100))
        assert flushed(state, tmp_path) == 1
    assert bytes_by_day(state, tmp_path) == {2: 200}
    assert len(listed(state)) == 2


def test_flush_goes_on_where_the_last_one_stopped(state: EmbeddedState, told: Told, tmp_path: Path) -> None:
    told.demand(30, "metro", **{f"t__{number}": (1, 1) for number in range(7)})
    assert [flushed(state, tmp_path, rows_max=3) for _ in range(4)] == [3, 3, 1, 0]
    assert bytes_by_day(state, tmp_path) == {2: 7}


class Interrupted:
    """A state whose writes are preceded by something else."""

    def __init__(self, state: EmbeddedState, before: object) -> None:
        self.reading = state.reading
        self.scan = state.scan
        self._state = state
        self._before = before

    @contextmanager
    def write(self) -> Iterator[StateTransaction]:
        before, self._before = self._before, None
        if callable(before):
            before()
        with self._state.write() as transaction:
            yield transaction


def test_flush_leaves_what_came_meanwhile(state: EmbeddedState, told: Told, tmp_path: Path) -> None:
    told.demand(30, t__a=(1, 100))
    busy = Interrupted(state, lambda: told.demand(30, t__a=(2, 11)))
    assert flush(busy, tmp_path, local(tmp_path), now_ns=NOW_NS) == 1  # type: ignore[arg-type]
    assert bytes_by_day(state, tmp_path) == {2: 100}
    assert list(daily_bytes(state)["metro"]["t/a"].values()) == [11]


def test_flush_of_two_at_once_counts_once(state: EmbeddedState, told: Told, tmp_path: Path) -> None:
    told.demand(30, t__a=(1, 100))
    rival = Interrupted(state, lambda: flushed(state, tmp_path))
    assert flush(rival, tmp_path, local(tmp_path), now_ns=NOW_NS) is None  # type: ignore[arg-type]
    assert bytes_by_day(state, tmp_path) == {2: 100}
    assert daily_bytes(state) == {}


def test_flush_that_comes_second_leaves_the_file_of_the_first(state: EmbeddedState, told: Told, tmp_path: Path) -> None:
    """Two of one process, or of containers that are all process 1, would write the same file by number and process."""
    told.demand(30, t__a=(1, 100))

    def rival() -> None:
        told.demand(30, t__a=(2, 11))
        assert flushed(state, tmp_path) == 1

    assert flush(state, tmp_path, Preceded(tmp_path, [rival]), now_ns=NOW_NS) is None
    assert set_aside(state, tmp_path, first=0) == []
    assert bytes_by_day(state, tmp_path) == {2: 111}
    assert daily_bytes(state) == {}


def killed() -> None:
    raise SteeringError("killed", remedy="")


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(st.tuples(st.integers(0, 40), st.integers(1, 9), st.sampled_from("fkcs")), min_size=2, max_size=6)
)
def test_history_loses_and_doubles_nothing_when_killed_before_it_is_named(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, int, str]]
) -> None:
    folder = tmp_path_factory.mktemp("history")
    state = EmbeddedState.open(folder / "state", bytes_max=2**26)
    told = Told(state)
    total = 0
    for hours_ago, count, step in steps:
        told.demand(hours_ago, t__a=(1, count))
        total += count
        if step == "k":
            with pytest.raises(SteeringError, match="killed"):
                flush(Interrupted(state, killed), folder, local(folder), now_ns=NOW_NS + 2 * HOUR_NS)  # type: ignore[arg-type]
        elif step == "f":
            flushed(state, folder, later_h=2)
        elif step == "c":
            compact(state, folder, local(folder), now_ns=NOW_NS)
        else:
            sweep(state, folder, now_ns=NOW_NS)
        in_state = sum(sum(days.values()) for assets in daily_bytes(state).values() for days in assets.values())
        assert in_state + sum(bytes_by_day(state, folder).values()) == total
    state.close()


def test_compact_makes_one_file_of_a_day_that_is_over(state: EmbeddedState, told: Told, tmp_path: Path) -> None:
    for hours_ago in (0.5, 0.6, 30, 31, 31):
        told.demand(hours_ago, t__a=(1, 100))
        flushed(state, tmp_path, later_h=2)
    assert compact(state, tmp_path, local(tmp_path), now_ns=NOW_NS) == 2
    assert [each.part.rows for each in listed(state)] == [2, 1]
    assert bytes_by_day(state, tmp_path) == {1: 200, 2: 300}
    assert compact(state, tmp_path, local(tmp_path), now_ns=NOW_NS) == 0


def test_compact_leaves_a_day_that_is_damaged(state: EmbeddedState, told: Told, tmp_path: Path) -> None:
    for _ in range(2):
        told.demand(30, t__a=(1, 100))
        flushed(state, tmp_path)
    listed(state)[0].path(tmp_path).write_bytes(b"other")
    assert compact(state, tmp_path, local(tmp_path), now_ns=NOW_NS) == 0
    assert len(listed(state)) == 2


def test_sweep_removes_what_the_state_does_not_name_once_it_is_old(
    state: EmbeddedState, told: Told, tmp_path: Path
) -> None:
    for _ in range(2):
        told.demand(30, t__a=(1, 100))
        flushed(state, tmp_path)
    before = {each.path(tmp_path) for each in listed(state)}
    stray = tmp_path / "day=2020-01-01" / "stray.parquet"
    stray.parent.mkdir()
    stray.write_text("x")
    (tmp_path / "scratch-x").mkdir()
    compact(state, tmp_path, local(tmp_path), now_ns=NOW_NS)
    written_ns = max(path.stat().st_mtime_ns for path in [*before, stray])
    assert sweep(state, tmp_path, now_ns=written_ns) == 0
    os.utime(tmp_path / "scratch-x", (1, 1))
    assert sweep(state, tmp_path, now_ns=written_ns + 3601 * 10**9) == 3
    assert not any(path.exists() for path in [*before, stray.parent, tmp_path / "scratch-x"])
    assert bytes_by_day(state, tmp_path) == {2: 200}


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), "bytes, wanted"),
        (lambda path: path.write_bytes(path.read_bytes()[:-9] + b"123456789"), "its digest is another"),
    ],
)
def test_damaged_file_is_named_and_set_aside(
    state: EmbeddedState, told: Told, tmp_path: Path, damage: object, why: str
) -> None:
    told.demand(30, t__a=(1, 100))
    told.demand(60, t__a=(1, 7))
    flushed(state, tmp_path)
    broken = listed(state)[1].path(tmp_path)
    assert callable(damage)
    damage(broken)
    (found,) = set_aside(state, tmp_path, first=0)
    assert found.is_damaged
    assert found.why.startswith(str(broken))
    assert why in found.why
    assert aside(state) == [found.why]
    assert aside(state, first=TODAY - 1) == []
    assert bytes_by_day(state, tmp_path) == {3: 7}
    assert not broken.exists()
    assert set_aside(state, tmp_path, first=0) == []
    assert sweep(state, tmp_path, now_ns=NOW_NS + YEAR_S * 10**11) == 0
    with state.write() as transaction:
        assert drop_before(transaction, TODAY - 1) == 2
    assert aside(state) == []
    assert listed(state) == []
    sweep(state, tmp_path, now_ns=NOW_NS + YEAR_S * 10**11)
    assert list(tmp_path.glob("day=*")) == []


def unlink(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.rename(path.with_suffix(".elsewhere"))


def refuse_to_stat(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Path.stat

    def stat(asked: Path, *, follow_symlinks: bool = True) -> os.stat_result:
        if asked == path:
            raise OSError(errno.EACCES, os.strerror(errno.EACCES))
        return real(asked, follow_symlinks=follow_symlinks)

    monkeypatch.setattr(Path, "stat", stat)


def fail_to_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def digest(asked: Path) -> str:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(files, "digest", digest)


@pytest.mark.parametrize(
    ("harm", "why"),
    [
        (unlink, "no such file or directory"),
        (refuse_to_stat, "permission denied"),
        (fail_to_read, "input/output error"),
    ],
)
def test_file_that_cannot_be_read_stays_in_the_log(
    state: EmbeddedState,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    harm: Callable[[Path, pytest.MonkeyPatch], None],
    why: str,
) -> None:
    Told(state).demand(30, t__a=(1, 100))
    flushed(state, tmp_path)
    path = listed(state)[0].path(tmp_path)
    with monkeypatch.context() as patches:
        harm(path, patches)
        assert [(found.why, found.is_damaged) for found in set_aside(state, tmp_path, first=0)] == [
            (f"{path} cannot be read: {why}", False)
        ]
    if not path.exists():
        path.with_suffix(".elsewhere").rename(path)
    assert aside(state) == []
    assert set_aside(state, tmp_path, first=0) == []
    assert sweep(state, tmp_path, now_ns=NOW_NS + YEAR_S * 10**11) == 0
    assert bytes_by_day(state, tmp_path) == {2: 100}


def test_sweep_keeps_what_is_set_aside_and_not_yet_renamed(
    state: EmbeddedState, told: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told.demand(30, t__a=(1, 100))
    flushed(state, tmp_path)
    path = listed(state)[0].path(tmp_path)
    path.write_bytes(b"other")
    monkeypatch.setattr(files, "set_aside", killed_before)
    with pytest.raises(SteeringError, match="killed"):
        set_aside(state, tmp_path, first=0)
    assert listed(state) == []
    assert sweep(state, tmp_path, now_ns=NOW_NS + YEAR_S * 10**11) == 0
    assert path.read_bytes() == b"other"


def killed_before(path: Path) -> None:
    killed()


def test_flush_of_many_rows_keeps_texts_and_numbers(state: EmbeddedState, told: Told, tmp_path: Path) -> None:
    told.demand(30, "a-very-long-site-name", **{"t__video_1080p.x": (2**40, 2**50)})
    flushed(state, tmp_path)
    path = listed(state)[0].path(tmp_path)
    rows = {name: column.tolist() for name, column in local(tmp_path).rows([path]).items()}
    assert rows == {
        "site": ["a-very-long-site-name"],
        "asset": ["t/video-1080p.x"],
        "hour": [NOW_NS // HOUR_NS - 30],
        "requests": [2**40],
        "bytes": [2**50],
        **{name: [0] for name in SUMS[2:]},
    }
    assert fault(listed(state)[0], tmp_path) is None
    assert log.day_text(TODAY) == "2024-10-04"
