"""Asks several that may hang, each in a thread of its own, and waits for their answers only so long."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Mapping
from typing import Generic, TypeVar

from msgspec import Struct

from oca.common.clock import monotonic_s

Key = TypeVar("Key", bound=Hashable)
Answer = TypeVar("Answer")


class Outstanding(Struct, frozen=True):
    """No answer yet; it was asked ``for_s`` seconds ago."""

    for_s: float


class Errands(Generic[Key, Answer]):
    """One question at a time to each: who has not answered yet is not asked again.

    The threads are daemons: one that hangs in the kernel neither piles up others nor keeps the process from ending.
    One thread at a time calls ``ask``.
    """

    def __init__(self, *, name: str) -> None:
        self._name = name
        self._begun_at_s: dict[Key, float] = {}
        self._answers: dict[Key, Answer | Exception] = {}
        self._news = threading.Condition()

    def ask(
        self, work: Mapping[Key, Callable[[], Answer]], *, timeout_s: float
    ) -> dict[Key, Answer | Exception | Outstanding]:
        """What each of ``work`` returned or raised; after ``timeout_s`` whatever has not come back is outstanding."""
        with self._news:
            for key, errand in work.items():
                if key not in self._begun_at_s:
                    self._begun_at_s[key] = monotonic_s()
                    name = f"{self._name}-{key}"
                    threading.Thread(target=self._run, args=(key, errand), name=name, daemon=True).start()
            self._news.wait_for(lambda: self._answers.keys() >= work.keys(), timeout_s)
            return {key: self._told(key) for key in work}

    def _told(self, key: Key) -> Answer | Exception | Outstanding:
        if key not in self._answers:
            return Outstanding(monotonic_s() - self._begun_at_s[key])
        del self._begun_at_s[key]
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
