"""A desk in a process of its own: ``python -m steering.plan.desk_process SOCKET MEMORY``, started by ``desks``.

It ends as the other side of the socket does, whatever became of that: a service manager's signals, which reach all
processes of a service, are for the one that planning is done for.
"""

from __future__ import annotations

import faulthandler
import mmap
import os
import pickle
import signal
import sys
import traceback
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path

from steering.plan.desk import Desk, Done
from steering.plan.desk_messages import Begin, Work

NICENESS = 5
"""Viewers are answered first."""
FIRST_TO_GO = 500
"""Where memory is short, rather this than who answers viewers: its site is planned by another, or the next time."""


def main() -> None:
    """Plan what is asked for until nobody asks any more."""
    faulthandler.enable()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    with suppress(OSError):  # where it may not, it plans all the same
        os.nice(NICENESS)
        Path("/proc/self/oom_score_adj").write_text(str(FIRST_TO_GO))
    with Connection(int(sys.argv[1])) as asking, suppress(EOFError, OSError):  # nobody asks any more
        _work(asking, int(sys.argv[2]))


def _work(asking: Connection[object, object], memory: int) -> None:
    """Answer. Raises EOFError or OSError once nobody is there."""
    begin, desk = asking.recv(), None
    while True:
        work = asking.recv()
        answer: Done | Exception
        try:
            desk = desk or _desk(begin, memory)
            answer = _done(*desk, work)
        except Exception as error:  # noqa: BLE001 - raised again where the site was asked for
            answer = _portable(error)
        asking.send(answer)


def _desk(begin: object, memory: int) -> tuple[Desk, str]:
    """With what stands for the names of its shelf."""
    if not isinstance(begin, Begin):
        raise TypeError(begin)
    whole = memoryview(mmap.mmap(memory, 0, prot=mmap.PROT_READ))
    parts = [whole[start : start + length] for start, length in begin.parts]
    tomorrow = pickle.loads(begin.tomorrow, buffers=parts)  # noqa: S301 - from the process that started this one
    return Desk(tomorrow, begin.terms, now_ns=begin.now_ns), begin.names


def _done(desk: Desk, names: str, work: object) -> Done:
    if not isinstance(work, Work):
        raise TypeError(work)
    if work.land is not None:
        desk.leave_ground(but=work.land.known)
        desk.take_ground(work.land.region, work.land.land)
    if work.places is not None:
        desk.take_places(work.places.names, work.places.places)
    return desk.done(desk.made(work.asked), names)


def _portable(error: Exception) -> Exception:
    """The same as another process can have it: its traceback becomes a note."""
    if isinstance(error, MemoryError):
        return MemoryError()
    note = "in a process that plans:\n" + "".join(traceback.format_exception(error))
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
    except Exception:  # noqa: BLE001 - many classes of exceptions come back as nothing
        error = RuntimeError(f"{type(error).__name__}: {error}")
    error.add_note(note)
    return error


if __name__ == "__main__":
    main()
