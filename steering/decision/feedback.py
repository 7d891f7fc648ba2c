"""Which paths underperform, by what players tell: fewer viewers are sent on them, within bounds. Pure.

A path is an appliance and the site that its viewers belong to. Each client network has one vote, its share of starved
requests; the median of the votes is the path's score. So whoever holds fewer than half of a path's networks cannot
move its score beyond what the others say, and whoever holds them all can take half of one path's viewers, no more.
A path is held against the other paths of the same viewers: where all starve it is their own network.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from statistics import median
from typing import NamedTuple

from oca.common.messages import PrefixQuality
from steering.decision.feedback_settings import FeedbackTable

STEP_MAX = 0.1
"""Most that a weight changes by at a time, so that load does not swing between paths."""
AGE_S_MAX = 300.0
"""What was told longer ago counts no more; boxes tell each minute."""


class Score(NamedTuple):
    """``starved``: the median over ``networks`` of their shares of starved requests."""

    starved: float
    networks: int


class Slowed(NamedTuple):
    """A path that is sent fewer viewers; ``weight`` is the share that it is left, ``usual`` what it is held against."""

    weight: float
    score: Score
    usual: float

    @property
    def why(self) -> str:
        """In words."""
        return (
            f"players there starve: {self.score.starved:.1%} of requests, by the median of {self.score.networks} "
            f"networks, {self.usual:.1%} is usual"
        )


def score_of(rows: Iterable[PrefixQuality], settings: FeedbackTable) -> Score | None:
    """The score of a path; None where too few networks tell. Each network counts once, however much it asks."""
    votes = [min(row.starved, row.requests) / row.requests for row in rows if row.requests >= settings.requests_min]
    return Score(median(votes), len(votes)) if len(votes) >= settings.prefixes_min else None


def target(score: Score, others: Iterable[Score], settings: FeedbackTable) -> Slowed:
    """The weight that a path should come to, held against the other paths of the same viewers."""
    elsewhere = [other.starved for other in others]
    usual = max(settings.starved_ratio_tolerated, median(elsewhere) if elsewhere else 0.0)
    excess = max(0.0, score.starved - usual) / settings.starved_ratio_full
    return Slowed(max(settings.weight_min, 1 - excess * (1 - settings.weight_min)), score, usual)


def step(before: float, wanted: float) -> float:
    """The next weight on the way."""
    return round(before + max(-STEP_MAX, min(STEP_MAX, wanted - before)), 6)


class Feedback:
    """What all appliances told last, and what comes of it; instants are on a clock that never steps."""

    def __init__(self, settings: FeedbackTable) -> None:
        self._settings = settings
        self._told: dict[str, dict[str, tuple[float, Score]]] = {}
        """Home → appliance → when, and the score."""
        self._homes: dict[str, set[str]] = {}
        self._slowed: dict[str, dict[str, Slowed]] = {}

    def take(self, appliance: str, by_home: Mapping[str, Iterable[PrefixQuality]], now: float) -> None:
        """Take up what players told an appliance, by the site that they belong to; it replaces what it told before."""
        found = [(home, score_of(rows, self._settings)) for home, rows in by_home.items()]
        scores = {home: score for home, score in found if score is not None}
        for home in self._homes.get(appliance, set()) - scores.keys():
            self._told.get(home, {}).pop(appliance, None)
            self._expire(home, now)
        self._homes[appliance] = set(scores)
        for home, score in scores.items():
            self._told.setdefault(home, {})[appliance] = now, score
            self._expire(home, now)
            self._weigh(home, appliance, score)

    def of_home(self, home: str) -> Mapping[str, Slowed]:
        """The slowed paths of a site's viewers, by appliance; mostly none."""
        return self._slowed.get(home, _NONE)

    @property
    def slowed_paths(self) -> int:
        """How many there are."""
        return sum(map(len, self._slowed.values()))

    def expire(self, now: float) -> None:
        """Let go of what was told too long ago: nobody tells of a path on which nobody plays any more."""
        for home in list(self._told):
            self._expire(home, now)

    def _expire(self, home: str, now: float) -> None:
        paths = self._told.get(home, {})
        for name in [name for name, (at_s, _) in paths.items() if now - at_s > AGE_S_MAX]:
            del paths[name]
        for name in [name for name in self._slowed.get(home, {}) if name not in paths]:
            self._keep(home, name, None)
        if not paths:
            self._told.pop(home, None)

    def _weigh(self, home: str, appliance: str, score: Score) -> None:
        others = [other for name, (_, other) in self._told[home].items() if name != appliance]
        wanted = target(score, others, self._settings)
        before = self.of_home(home).get(appliance)
        weight = step(before.weight if before is not None else 1.0, wanted.weight)
        self._keep(home, appliance, wanted._replace(weight=weight) if weight < 1 else None)

    def _keep(self, home: str, appliance: str, slowed: Slowed | None) -> None:
        # Replaced, never changed: a decision in another thread may be reading it.
        paths = {name: other for name, other in self._slowed.get(home, {}).items() if name != appliance}
        if slowed is not None:
            paths[appliance] = slowed
        if paths:
            self._slowed[home] = paths
        else:
            self._slowed.pop(home, None)


_NONE: Mapping[str, Slowed] = {}
