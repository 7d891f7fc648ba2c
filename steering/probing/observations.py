"""What one observer has seen of each appliance: probes in a row that failed or succeeded, and what it votes. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Annotated, NamedTuple

from msgspec import Meta, Struct

from steering.probing.settings import ProbesTable

WHY_CHARACTERS_MAX = 160
ROUNDS_REMEMBERED = 3.0
"""After so many intervals without a probe of it, nothing is known of an appliance."""
ISOLATED = "isolated"
RECENT_MAX = 256
"""Probes of others that a new vote is weighed against."""


class Statement(Struct, frozen=True, kw_only=True):
    """What an observer tells the others.

    Attributes:
        probed: Appliances that it knows something of.
        failing: Those that it votes against, each with why; empty where it does not vote.
        abstains: Why it does not vote; empty: it does.
    """

    probed: Annotated[int, Meta(ge=0)]
    failing: Annotated[dict[str, Annotated[str, Meta(max_length=WHY_CHARACTERS_MAX)]], Meta(max_length=1_000_000)]
    abstains: Annotated[str, Meta(max_length=400)] = ""


class Seen(NamedTuple):
    """The last probe of an appliance; ``why`` is empty where it succeeded, ``checked`` whether a digest was."""

    at_s: float
    why: str
    checked: bool


class _Track:
    __slots__ = ("failing", "failing_since_s", "failures", "seen", "successes")

    def __init__(self) -> None:
        self.seen = Seen(0.0, "", False)
        self.failures = self.successes = 0
        self.failing_since_s = 0.0
        self.failing = False


class Observations:
    """All appliances as one observer sees them; instants are on a clock that never steps."""

    def __init__(self, settings: ProbesTable) -> None:
        self._settings = settings
        self._tracks: dict[str, _Track] = {}
        self._troubled: set[str] = set()
        """Whose last probe failed, or that are voted against."""
        self._recent: deque[tuple[float, str, bool]] = deque(maxlen=RECENT_MAX)

    def note(self, appliance: str, why: str, now: float, *, checked: bool) -> bool:
        """Take note of a probe that failed (``why``) or succeeded (empty); whether the vote on it has changed."""
        track = self._tracks.setdefault(appliance, _Track())
        if now - track.seen.at_s > self._known_s:
            track.failures = track.successes = 0
        track.seen = Seen(now, why[:WHY_CHARACTERS_MAX], checked)
        before = track.failing
        self._recent.append((now, appliance, not why))
        if why:
            track.failing_since_s = track.failing_since_s if track.failures else now
            track.failures, track.successes = track.failures + 1, 0
            enough = track.failures >= self._settings.failures_needed
            track.failing = before or (enough and self._reaches_others(appliance, track.failing_since_s))
        else:
            track.failures, track.successes = 0, track.successes + 1
            track.failing = before and track.successes < self._settings.successes_needed
        (self._troubled.add if track.failures or track.failing else self._troubled.discard)(appliance)
        return track.failing != before

    def last(self, appliance: str, now: float) -> Seen | None:
        """The last probe of an appliance; None where there was none of late."""
        track = self._tracks.get(appliance)
        return track.seen if track is not None and now - track.seen.at_s <= self._known_s else None

    def statement(self, is_heard: Callable[[str], bool], expected: int, now: float) -> Statement:
        """What to tell the others.

        Args:
            is_heard: Whether an appliance's reports come. Whoever is silent says nothing about our own network.
            expected: How many appliances' reports come.
            now: The time.
        """
        known = (name for name, track in self._tracks.items() if now - track.seen.at_s <= self._known_s)
        probed = sum(map(is_heard, known)) if self._troubled else len(self._tracks)
        failing_heard = 0
        failing: dict[str, str] = {}
        for name in self._troubled:
            track = self._tracks[name]
            if now - track.seen.at_s > self._known_s or not is_heard(name):
                continue
            failing_heard += bool(track.failures)
            if track.failing:
                failing[name] = track.seen.why or "answers again, not yet often enough"
        abstains = ""
        if not probed or probed * 2 < expected:
            abstains = f"has probed {probed} of {expected} appliances so far"
        elif failing_heard > probed * self._settings.isolated_ratio:
            abstains = f"{ISOLATED}: cannot reach {failing_heard} of {probed} appliances whose reports come"
        return Statement(probed=probed, failing={} if abstains else failing, abstains=abstains)

    def _reaches_others(self, appliance: str, since_s: float) -> bool:
        """Whether this observer has reached others since this one began to fail: else the fault may be its own.

        A new vote waits for that, so that one that is cut off does not vote in the seconds until it notices.
        """
        others = [good for at_s, name, good in self._recent if at_s >= since_s and name != appliance]
        ratio = self._settings.isolated_ratio
        return ratio >= 1 or (bool(others) and others.count(False) <= len(others) * ratio)

    @property
    def _known_s(self) -> float:
        settings = self._settings
        return ROUNDS_REMEMBERED * (settings.interval_s + settings.timeout_s)
