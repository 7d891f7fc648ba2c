"""Which source to try next for one asset, and who is left out, why and for how long. Pure: no clock, no dice."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from oca.common.messages import FillSource


class Fault(Struct, frozen=True):
    """Why a source did not bring an object.

    ``lasting`` faults (wrong digest, wrong length, a refusal) will not mend by asking again tonight; others
    (a reset, a time-out, a 5xx) may.
    """

    reason: str
    why: str
    lasting: bool


class Attempt(Struct, frozen=True):
    """Ask ``source`` next, after ``wait_s`` seconds."""

    source: FillSource
    wait_s: float


class GivenUp(Struct, frozen=True):
    """No source is left; ``why`` names each and its last fault."""

    why: str


class SourceLadder:
    """The sources of one asset, best first, climbed from the top.

    A source that fails is left for the rest of the asset. Once all are left, those whose fault may have passed are
    climbed again after a wait that doubles each round; an object that arrives whole ends the row of empty rounds.
    """

    def __init__(
        self, sources: Sequence[FillSource], *, rounds_max: int, backoff_s: float, backoff_s_max: float
    ) -> None:
        self._sources = list({source.url: source for source in sources}.values())
        self._rounds_max = rounds_max
        self._backoff_s = backoff_s
        self._backoff_s_max = backoff_s_max
        self._faults: dict[str, Fault] = {}
        self._left: set[str] = set()
        self._empty_rounds = 0

    @property
    def faults(self) -> dict[str, Fault]:
        """The last fault of each source that had one, by its URL."""
        return dict(self._faults)

    def next(self, *, jitter: float) -> Attempt | GivenUp:
        """Whom to ask now.

        Args:
            jitter: Drawn from 0 to 1; a wait is between half and the whole of its round's length.
        """
        for source in self._sources:
            if source.url not in self._left:
                return Attempt(source, 0.0)
        again = [source for source in self._sources if not self._faults[source.url].lasting]
        self._empty_rounds += 1
        if not again or self._empty_rounds >= self._rounds_max:
            return GivenUp(self._summary())
        self._left.difference_update(source.url for source in again)
        wait_s = min(self._backoff_s * 2 ** (self._empty_rounds - 1), self._backoff_s_max)
        return Attempt(again[0], wait_s * (0.5 + jitter / 2))

    def failed(self, source: FillSource, fault: Fault) -> None:
        """Leave ``source``, because of ``fault``."""
        self._faults[source.url] = fault
        self._left.add(source.url)

    def succeeded(self) -> None:
        """An object has arrived whole."""
        self._empty_rounds = 0

    def _summary(self) -> str:
        if not self._sources:
            return "steering names no source that has it"
        return "; ".join(f"{source.url}: {self._faults[source.url].why}" for source in self._sources)
