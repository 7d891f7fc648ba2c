import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from oca.common import silence
from oca.common.silence import LOOK_S_MAX, Silence, Standing, is_starved, standing_of
from tests.waiting import wait_until

BLOCK = bytes(2**22)
SCHEDSTAT = Path("/proc/self/schedstat")
"""Not in every container; and zeros where the kernel counts nothing."""


@contextmanager
def thread_that(*, computes: bool) -> Iterator[int]:
    """The native id of a thread that wants a processor all the time, or sleeps."""
    gate = threading.Event()

    def work() -> None:
        while computes and not gate.is_set():
            hashlib.sha256(BLOCK)  # lets go of the interpreter's lock meanwhile
        gate.wait(60)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    assert thread.native_id is not None
    try:
        yield thread.native_id
    finally:
        gate.set()
        thread.join(60)


def test_standing_tells_thread_that_computes_from_one_that_sleeps() -> None:
    with thread_that(computes=True) as busy, thread_that(computes=False) as asleep:
        wait_until(lambda: is_starved(busy) and not is_starved(asleep))
        if SCHEDSTAT.exists() and any(map(int, SCHEDSTAT.read_text().split())):
            wait_until(lambda: standing_of(busy).processor_s > 0.1)
            assert standing_of(asleep).processor_s < standing_of(busy).processor_s


@pytest.mark.parametrize(
    ("stat", "schedstat", "standing"),
    [
        ("7 (a) b) R 1 1", "1000000000 500000000 9", Standing(runnable=True, processor_s=1.5)),
        ("7 (a) D 1 1", "1000000000 500000000 9", Standing(runnable=False, processor_s=1.5)),
        ("7 (a) R 1 1", "", Standing(runnable=True, processor_s=0.0)),  # as some containers show it
        ("7 (a) R 1 1", None, Standing(runnable=True, processor_s=0.0)),
        ("", "1 1 1", Standing(runnable=False, processor_s=0.0)),
        (None, None, Standing(runnable=False, processor_s=0.0)),
    ],
)
def test_standing_is_asleep_as_far_as_the_system_does_not_tell(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, stat: str | None, schedstat: str | None, standing: Standing
) -> None:
    monkeypatch.setattr(silence, "TASKS", tmp_path)
    (tmp_path / "7").mkdir()
    for name, told in (("stat", stat), ("schedstat", schedstat)):
        if told is not None:
            (tmp_path / "7" / name).write_text(told)
    assert standing_of(7) == standing


def test_standing_of_thread_that_is_gone_is_asleep() -> None:
    with thread_that(computes=False) as gone:
        pass
    wait_until(lambda: standing_of(gone) == Standing(runnable=False, processor_s=0.0))
    assert is_starved(0), "a thread that has not begun says nothing of the device"


def test_silence_counts_sleep_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = [100.0]
    told = [Standing(runnable=False, processor_s=1.0)]
    monkeypatch.setattr(silence, "monotonic_s", lambda: now_s[0])
    monkeypatch.setattr(silence, "standing_of", lambda _: told[0])
    found = Silence(7)
    for passed_s, runnable, processor_s, silent_s in (
        (1.0, False, 1.0, 1.0),
        (1.0, True, 1.0, 1.0),  # it waits for a processor now, and its count does not tell yet for how long
        (1.0, False, 1.75, 1.25),  # it has waited for one, and sleeps
        (1.0, False, 9.0, 1.25),
        (60.0, False, 9.0, 1.25 + LOOK_S_MAX),  # whoever looks was held up
        (1.0, False, 0.0, 2.25 + LOOK_S_MAX),  # it has ended
    ):
        now_s[0] += passed_s
        told[0] = Standing(runnable, processor_s)
        assert found.look() == pytest.approx(silent_s)
