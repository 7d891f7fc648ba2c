"""Asks several that may hang, each in a thread of its own, and waits for their answers only so long.

How long one has not answered is told without the time in which its thread was short of a processor (``silence``).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Mapping
from typing import Generic, TypeVar

from msgspec import Struct

from oca.common.clock import monotonic_s
from oca.common.silence import Silence

LOOK_INTERVAL_S = 0.25
PATIENCE_TIMES = 3
"""Who is to be judged by its silence is waited for at most so many times as long as it may be silent."""
Key = TypeVar("Key", bound=Hashable)
Answer = TypeVar("Answer")


class Outstanding(Struct, frozen=True):
    """No answer yet, and ``for_s`` seconds of silence that are its own."""

    for_s: float

    def __str__(self) -> str:
        return f"has not answered for {self.for_s:.0f} s"


class Errands(Generic[Key, Answer]):
    """One question at a time to each: who has not answered yet is not asked again.

    The threads are daemons: one that hangs in the kernel neither piles up others nor keeps the process from ending.
    One thread at a time calls ``ask``.
    """

    def __init__(self, *, name: str) -> None:
        self._name = name
        self._asked: dict[Key, Silence] = {}
        self._answers: dict[Key, Answer | Exception] = {}
        self._news = threading.Condition()

    def ask(
        self, work: Mapping[Key, Callable[[], Answer]], *, timeout_s: float, patient: bool = False
    ) -> dict[Key, Answer | Exception | Outstanding]:
        """What each of ``work`` returned or raised; after ``timeout_s`` whatever has not come back is outstanding.

        ``patient``: only when it has been silent for so long, since what is outstanding is taken out of use.
        """
        with self._news:
            for key, errand in work.items():
                if key not in self._asked:
                    name = f"{self._name}-{key}"
                    thread = threading.Thread(target=self._run, args=(key, errand), name=name, daemon=True)
                    thread.start()
                    self._asked[key] = Silence(thread.native_id or 0)
            ends_at_s = monotonic_s() + timeout_s * (PATIENCE_TIMES if patient else 1)
            while missing := work.keys() - self._answers.keys():
                silent_s = min(self._asked[key].look() for key in missing)
                left_s = ends_at_s - monotonic_s()
                if left_s <= 0 or (patient and silent_s >= timeout_s):
                    break
                self._news.wait(min(left_s, LOOK_INTERVAL_S))
            return {key: self._told(key) for key in work}

    def _told(self, key: Key) -> Answer | Exception | Outstanding:
        if key not in self._answers:
            return Outstanding(self._asked[key].look())
        del self._asked[key]
        return self._answers.pop(key)

    def _run(self, key: Key, errand: Callable[[], Answer]) -> None:
        answer: Answer | Exception
        try:
            answer = errand()
        except Exception as error:  # noqa: BLE001 - told to whoever asked
            answer = error
        with self._news:
            self._answers[key] = answer
            self._news.notify_all()
