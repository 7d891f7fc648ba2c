"""A steering service whose memory grows: when it looks for cycles, and what the looks find, by made-up readings."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from weakref import ref

import pytest
from structlog.testing import capture_logs

from steering import cycles as cycles_module
from steering.cycles import (
    GROWTH_BYTES_MAX,
    QUIET_RATIO,
    RESTS,
    WHOLE_GROWTH_WAITS_S,
    WHOLE_S,
    WHOLE_WAITS_S,
    Cycles,
    resident_bytes,
)

GIB = 2**30


class Knot:
    def __init__(self) -> None:
        self.itself = self


class Readings:
    """A process whose clock and memory are made up."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s, self.bytes, self.look_takes_s = 1e6, GIB, 0.0
        self.asked = 0
        self.cycles = Cycles(lambda: self.asked)
        monkeypatch.setattr(cycles_module, "LOOK_S", 0.0)
        monkeypatch.setattr(cycles_module, "monotonic_s", lambda: self.now_s)
        monkeypatch.setattr(cycles_module, "resident_bytes", lambda: self.bytes)

        def collect() -> int:
            self.now_s += self.look_takes_s
            return collected()

        collected = gc.collect
        monkeypatch.setattr(gc, "collect", collect)

    async def look(self, *, after_s: float = 1.0, more: int = 0, asked: int = 0) -> list[bool]:
        """Whether it looked; if so, whether at everything. ``asked`` meanwhile."""
        self.now_s += after_s
        self.bytes += more
        self.asked += asked
        with capture_logs() as logs:
            await self.cycles.look()
        return [line["whole"] for line in logs]


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Iterator[Readings]:
    readings = Readings(monkeypatch)
    readings.cycles.begin()
    yield readings
    readings.cycles.end()


async def test_cycles_are_not_looked_for_before_it_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor in a test that has but the service's other parts, in a process of a gigabyte: a look takes two seconds."""
    made = Readings(monkeypatch)
    made.cycles = Cycles(lambda: 0)
    assert await made.look(more=GIB) == []


async def test_cycles_are_looked_for_when_memory_grows(made: Readings) -> None:
    gone = ref(Knot())
    assert await made.look(more=GROWTH_BYTES_MAX - 1) == []
    assert gone() is not None
    assert await made.look(more=1) == [False]
    assert gone() is None
    assert await made.look() == []  # what stays is in use
    assert await made.look(more=GROWTH_BYTES_MAX) == [False]


async def test_cycles_of_memory_that_grows_on_and_on_are_looked_for_with_rests(made: Readings) -> None:
    made.look_takes_s = 2.0
    assert await made.look(more=GROWTH_BYTES_MAX) == [False]
    assert await made.look(after_s=RESTS * 2.0 - 1, more=GROWTH_BYTES_MAX) == []
    assert await made.look() == [False]


async def test_cycles_of_what_an_earlier_look_left_are_found_by_a_look_at_everything(made: Readings) -> None:
    knot = Knot()
    gone = ref(knot)
    assert await made.look(more=GROWTH_BYTES_MAX) == [False]
    del knot
    assert await made.look(after_s=3600.0) == [False]
    assert gone() is not None
    assert await made.look(after_s=WHOLE_S) == [True]
    assert gone() is None


async def test_everything_is_looked_at_when_memory_has_grown_by_half(made: Readings) -> None:
    gone = ref(Knot())
    gc.freeze()  # as what was known at the begin
    steps = [await made.look(more=GROWTH_BYTES_MAX) for _ in range(10)]
    assert steps == [[number in (3, 9)] for number in range(10)]
    assert gone() is None


async def test_a_look_at_everything_waits_for_a_quiet_second(made: Readings) -> None:
    many = 1000
    assert await made.look(asked=many) == []
    assert await made.look(after_s=WHOLE_S, asked=many) == [False]  # an hour is over, too
    assert await made.look(asked=int(many * QUIET_RATIO) + 1) == []
    assert await made.look(asked=int(many * QUIET_RATIO)) == [True]
    assert await made.look(asked=0) == []


@pytest.mark.parametrize(("more", "waits_s"), [(0, WHOLE_WAITS_S), (GIB, WHOLE_GROWTH_WAITS_S)])
async def test_a_look_at_everything_waits_no_longer_than_it_may(made: Readings, more: int, waits_s: float) -> None:
    assert await made.look(asked=1000) == []
    assert await made.look(after_s=WHOLE_S if not more else 1.0, more=more, asked=1000) == [False]
    looks = [await made.look(after_s=waits_s / 10, asked=1000) for _ in range(10)]
    assert [look for look in looks if True in look] == looks[-1:] == [[True]]
    assert await made.look(asked=1000) == []


async def test_what_a_look_left_is_not_looked_at_by_the_next(made: Readings) -> None:
    kept = [[number] for number in range(20_000)]
    assert await made.look(after_s=3600.0) == [False]
    assert gc.get_freeze_count() > len(kept)
    assert len(gc.get_objects()) < len(kept)


def test_memory_is_what_the_kernel_says() -> None:
    """Within a half: the kernel counts per CPU, and what a process of many tests lets go meanwhile counts too."""
    size = 256 * 2**20
    before = resident_bytes()
    held = b"1" * size
    assert size / 2 < resident_bytes() - before < size * 1.5
    assert held
