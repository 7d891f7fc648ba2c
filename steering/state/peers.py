"""What instances of steering tell each other beside the durable state: reports, routes, what each has seen for itself.

All of it is soft: the newest counts, nothing waits for it, and an instance that hears nobody goes on from what it has.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

Topic = Literal["reports", "contents", "progress", "routes", "wanted", "presence", "verdicts", "traces"]
"""``verdicts``: what each instance judges of the fleet by what it has seen itself, pinned to a ``Board``."""


class Told(NamedTuple):
    """What another instance told; ``age_s``: how long ago, where it was caught up with late."""

    instance: str
    body: bytes
    age_s: float


@dataclass(frozen=True, slots=True)
class Link:
    """How this instance stands with the engine that it shares its state by; ``since_s`` on the monotonic clock."""

    connected: bool
    since_s: float
    why: str = ""


class Peers(Protocol):
    """The other instances. All calls come from the event loop, and return at once."""

    @property
    def instance(self) -> str:
        """The name of this one."""
        ...

    def tell(self, topic: Topic, body: bytes, *, about: str = "") -> None:
        """Tell all others, each once and in order.

        What cannot be told now waits; of one topic and ``about`` only the newest does, and what is too much is dropped.
        """
        ...

    def listen(self, topic: Topic, take: Callable[[Told], None]) -> None:
        """Have ``take`` called, on the event loop, with what others tell from now on."""
        ...

    def begin(self) -> None:
        """Hear: all that listen are there. What was told a short while ago is heard too."""
        ...

    def link(self) -> Link:
        """Whether others are heard at all."""
        ...


class Alone:
    """A ``Peers`` for the one instance that an embedded state allows: there is nobody to tell."""

    def __init__(self, instance: str = "here") -> None:
        self.instance = instance

    def tell(self, topic: Topic, body: bytes, *, about: str = "") -> None:
        """Nobody hears it."""

    def listen(self, topic: Topic, take: Callable[[Told], None]) -> None:
        """Nobody speaks."""

    def begin(self) -> None:
        """Nobody is heard."""

    def link(self) -> Link:
        """Nothing is shared, so nothing is cut off."""
        return Link(connected=True, since_s=0.0)


class Word(NamedTuple):
    """What an instance last said, and how long ago."""

    body: bytes
    age_s: float


class Board:
    """One topic's last word of every instance, this one's included."""

    def __init__(self, peers: Peers, topic: Topic, now_s: Callable[[], float]) -> None:
        self._peers = peers
        self._topic: Topic = topic
        self._now_s = now_s
        self._words: dict[str, tuple[bytes, float]] = {}
        peers.listen(topic, self._take)

    def pin(self, body: bytes) -> None:
        """Put up this instance's word, in place of its last."""
        self._words[self._peers.instance] = body, self._now_s()
        self._peers.tell(self._topic, body)

    def words(self, *, age_s_max: float) -> Mapping[str, Word]:
        """By instance, those at most that old. An instance that says nothing any more is forgotten."""
        now_s = self._now_s()
        self._words = {name: word for name, word in self._words.items() if now_s - word[1] <= age_s_max}
        return {name: Word(body, now_s - at_s) for name, (body, at_s) in self._words.items()}

    def _take(self, told: Told) -> None:
        self._words[told.instance] = told.body, self._now_s() - told.age_s
