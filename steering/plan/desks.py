"""Desks in processes of their own, which share what is expected of tomorrow: the sites of a large fleet side by side.

NumPy lets threads run side by side only in part, and who answers viewers would wait for them. What the desks share lies
once in memory that has no name and goes with the last that has it. A desk that is lost leaves its site to another; what
fails at a desk fails where it was asked for.
"""

from __future__ import annotations

import os
import pickle
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from multiprocessing.connection import Connection
from pathlib import Path
from queue import SimpleQueue
from threading import Lock

import steering
from oca.common.errors import SteeringError
from oca.common.log import get_logger
from steering.plan.common_memory import CommonMemory
from steering.plan.desk import Asked, Done
from steering.plan.desk_environment import desk_environment
from steering.plan.desk_messages import Begin, Land, Places, Work
from steering.plan.forecast import Ints
from steering.plan.ground import Ground, Terms
from steering.plan.tomorrow import Tomorrow

ANSWER_S_MAX = 120.0
"""A site takes some 40 ms of a processor: whoever needs 3,000 times that hangs or was stopped."""
_END_S_MAX = 5.0
_HOME = str(Path(steering.__file__).parents[1])
_log = get_logger("plans")


class Desks:
    """Some processes; each plans one site at a time, for whichever thread asks."""

    def __init__(self, count: int) -> None:
        """Start them: they load what they need while what is expected is reckoned.

        Args:
            count: How many.

        As many as can be started: that they are fewer is logged.

        Raises:
            SteeringError: There is no memory or no process to be had.
        """
        self._idle: SimpleQueue[_Process | None] = SimpleQueue()
        self._lock = Lock()
        self._ended, self._why_ended = False, "a site could not be planned"
        self._processes: list[_Process] = []
        self.memory = CommonMemory()
        self._at_hand = ExitStack()
        self._at_hand.callback(self.memory.close)
        try:
            while len(self._processes) < count:
                self._processes.append(_Process(self.memory.descriptor))
        except OSError as error:
            why, started = error.strerror or str(error), len(self._processes)
            if not started:
                self._at_hand.close()
                raise SteeringError(
                    f"no process that plans can be started: {why}",
                    remedy="see how much memory is free and how many processes are allowed, or set plan.processes = 1",
                ) from None
            _log.warning("fewer processes plan than were asked for", started=started, of=count, why=why)
        self._left = len(self._processes)

    def begin(
        self,
        tomorrow: Tomorrow,
        terms: Terms,
        *,
        names: str,
        now_ns: int,
        ground_of: Callable[[str], Ground],
        places_of: Callable[[str], Ints],
    ) -> None:
        """Have them plan.

        Args:
            tomorrow: What is expected; what of it is not in their common memory is copied there.
            terms: The operator's.
            names: Stands for the names of the shelf.
            now_ns: When.
            ground_of: What holds in a region.
            places_of: Where on the shelf the assets of a list of names stand.

        Raises:
            SteeringError: There is no memory to be had, or none of them is left.
        """
        self._ground_of, self._places_of = ground_of, places_of
        with self._at_hand:
            begin = Begin(*_shared(tomorrow.without_names(), self.memory), terms, names, now_ns)
        for each in self._processes:
            try:
                each.begin(begin)
            except _LostError as lost:
                self._lose(each, f"a process that began {lost}")
            else:
                self._idle.put(each)
        if not self._left:
            raise self._over()

    def __enter__(self) -> Desks:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def pids(self) -> list[int]:
        """Of the processes."""
        return [each.pid for each in self._processes]

    def done(self, asked: Asked) -> Done:
        """Have a site planned, once a desk is free.

        Raises:
            SteeringError: No desk is left.
            Exception: What planning it raises, by whichever desk.
        """
        if self._ended:
            raise self._over()
        land = self._ground_of(asked.region)
        places = self._places_of(asked.kept.names) if asked.kept is not None else None
        while (desk := self._idle.get()) is not None:
            try:
                found = desk.plan(asked, land, places)
            except _LostError as lost:
                self._lose(desk, f"a process that planned {asked.site} {lost}")
                continue
            except BaseException as error:
                desk.kill()  # what it is asked next it might answer with this site
                self._lose(desk, f"a process that planned {asked.site} was left: {type(error).__name__}: {error}")
                raise
            self._idle.put(desk)
            if isinstance(found, Exception):
                raise found
            return found
        self._idle.put(None)
        raise self._over()

    def _over(self) -> SteeringError:
        return SteeringError(
            f"planning ended before all sites were planned: {self._why_ended}",
            remedy="see how much memory is free, or set plan.processes lower; it is tried again",
        )

    def end(self) -> None:
        """Have them end, and whoever waits for one of them told so."""
        self._ended = True
        self._idle.put(None)
        for each in self._processes:
            each.hang_up()

    def kill(self) -> None:
        """The same at once, also of those that hang or are stopped: they hold nothing that is to be kept."""
        self.end()
        for each in self._processes:
            each.kill()

    def close(self) -> None:
        """Have them end, and wait for it."""
        self.end()
        self._at_hand.close()
        for each in self._processes:
            each.close()

    def _lose(self, desk: _Process, why: str) -> None:
        with self._lock:
            self._left -= 1
            if not self._ended:
                self._why_ended = why
                _log.warning("one of the processes that plan is lost", why=why, left=self._left)
            if not self._left:
                self._idle.put(None)


class _LostError(Exception):
    """A process is there no more, or as good as that."""


class _Process:
    """One desk's process, and what it has been told."""

    def __init__(self, memory: int) -> None:
        ours, theirs = socket.socketpair()
        path = [each for each in (_HOME, os.environ.get("PYTHONPATH")) if each]
        with ours, theirs:
            # -P and PYTHONPATH: it runs the code that this process runs, wherever that was started.
            self._process = subprocess.Popen(  # noqa: S603 - our own
                [sys.executable, "-P", "-m", "steering.plan.desk_process", str(theirs.fileno()), str(memory)],
                stdin=subprocess.DEVNULL,
                env=desk_environment(os.environ) | {"PYTHONPATH": os.pathsep.join(path)},
                pass_fds=(theirs.fileno(), memory),
                # Ctrl-C is for who planning is done for. A session of its own would make niceness void: that counts
                # among the processes of a session alone (autogroup, sched(7)).
                process_group=0,
            )
            self._socket = ours.dup()
            self._talk: Connection[object, object] = Connection(ours.detach())
        self.answer_within(ANSWER_S_MAX)
        self.pid = self._process.pid
        self._regions: list[str] = []
        self._names: set[str] = set()

    def answer_within(self, seconds: float) -> None:
        """Neither taking a message nor answering may take longer."""
        limit = struct.pack("ll", int(seconds), int(seconds % 1 * 1e6))  # struct timeval, socket(7)
        for option in (socket.SO_SNDTIMEO, socket.SO_RCVTIMEO):
            self._socket.setsockopt(socket.SOL_SOCKET, option, limit)
        self._answer_s_max = seconds

    def begin(self, begin: Begin) -> None:
        """Say what is expected.

        Raises:
            _LostError: It is lost; why.
        """
        self._said(lambda: self._talk.send(begin))

    def plan(self, asked: Asked, land: Ground, places: Ints | None) -> Done | Exception:
        """A site's plan, or what planning it raised; it is told what it does not have yet.

        Raises:
            _LostError: It is lost; why.
        """
        new_land, new_places = None, None
        if asked.region not in self._regions:
            self._regions = self._regions[-1:]  # sites come region by region, but two may take turns where one ends
            new_land = Land(asked.region, land, tuple(self._regions))
            self._regions.append(asked.region)
        if places is not None and asked.kept is not None and asked.kept.names not in self._names:
            new_places = Places(asked.kept.names, places)
            self._names.add(asked.kept.names)
        self._said(lambda: self._talk.send(Work(new_land, new_places, asked)))
        found = self._said(self._talk.recv)
        if isinstance(found, MemoryError):
            self.kill()
            raise _LostError("ran out of memory")
        if isinstance(found, Exception):
            self._regions, self._names = [], set()  # what of it was taken in is not known
        elif not isinstance(found, Done):
            raise TypeError(found)
        return found

    def hang_up(self) -> None:
        """Have it end once it has done what it does; who waits for its answer waits no more."""
        with suppress(OSError):  # it has ended, or has been closed
            self._socket.shutdown(socket.SHUT_RDWR)

    def kill(self) -> None:
        """End it at once; nobody waits for it."""
        self._process.kill()

    def ended(self) -> int | None:
        """Have it end: at once, if it does not by itself. With which status it did, as subprocess has it; None: it is
        held by the kernel, as by a disk that hangs, and ends as soon as that lets go of it.
        """
        self.hang_up()
        with suppress(subprocess.TimeoutExpired):
            return self._process.wait(_END_S_MAX)
        self.kill()
        with suppress(subprocess.TimeoutExpired):
            return self._process.wait(_END_S_MAX)
        return None

    def close(self) -> None:
        """The same, once no thread plans by it any more."""
        self.ended()
        self._talk.close()
        self._socket.close()

    def _said(self, say: Callable[[], object]) -> object:
        try:
            return say()
        except BlockingIOError:
            self.kill()
            raise _LostError(f"gave no answer for {self._answer_s_max:g} s") from None
        except (EOFError, OSError):
            raise _LostError(_ending(self.ended())) from None


def _ending(status: int | None) -> str:
    """How a process ended, by its status."""
    if status is None:
        return "hangs, and cannot be killed"
    return f"was ended by signal {-status}" if status < 0 else f"ended with status {status}"


def _shared(tomorrow: Tomorrow, memory: CommonMemory) -> tuple[bytes, Sequence[tuple[int, int]]]:
    """Pickled, and where in the memory its columns are."""
    buffers: list[pickle.PickleBuffer] = []
    pickled = pickle.dumps(tomorrow, protocol=5, buffer_callback=buffers.append)
    return pickled, [memory.put(each.raw()) for each in buffers]
