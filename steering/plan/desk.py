"""Where sites are planned: all that one night's planning goes by, and nothing of the state, so that another process can
have a desk, too.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from steering.plan import outlook
from steering.plan.evidence import DAY_NS
from steering.plan.forecast import Ints
from steering.plan.ground import Ground, Terms
from steering.plan.kept_plan import KeptPlan, kept_plan
from steering.plan.placement import Box
from steering.plan.rankings import Rankings
from steering.plan.site_plan import Held, SitePlan, plan_site
from steering.plan.tomorrow import Tomorrow

CHOSEN_RATIO_MIN = 0.5
"""Of a night's moves, what may be chosen also where nights before had to move more: releases and pins do not wait."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A site to be planned: its boxes, how many bytes it may move, and its last plan, if there is one.

    ``capacities`` are of the boxes by name, as they reported them; ``shifts_bytes`` bounds what goes from box to box
    that could stay.
    """

    site: str
    region: str
    boxes: Sequence[Box]
    capacities: Mapping[str, int]
    allowed_bytes: float
    kept: KeptPlan | None
    shifts_bytes: float = np.inf


@dataclass(frozen=True, slots=True)
class Made:
    """A site's plan, how many bytes it may still move on later nights, less than none where this one had to move more
    than it may, and what came yesterday, if that is known.
    """

    site: str
    plan: SitePlan
    capacities: Mapping[str, int]
    allowed_bytes: float
    came: outlook.Came | None


@dataclass(frozen=True, slots=True)
class Done:
    """What is kept of it."""

    site: str
    kept: KeptPlan
    night: outlook.Night
    allowed_bytes: float
    came: outlook.Came | None


class Desk:
    """Plans sites, one or several at once, whose region's ground and whose last plan's names it has been given."""

    def __init__(self, tomorrow: Tomorrow, terms: Terms, *, now_ns: int) -> None:
        self._tomorrow, self._terms, self._now_ns = tomorrow, terms, now_ns
        self._land: dict[str, tuple[Ground, Rankings | None]] = {}
        self._places: dict[str, Ints] = {}

    def take_ground(self, region: str, land: Ground) -> None:
        """Have what holds in a region at hand."""
        if region not in self._land:
            self._land[region] = (land, self._tomorrow.rankings(land))

    def leave_ground(self, *, but: Collection[str]) -> None:
        """Let go of that of other regions."""
        self._land = {region: found for region, found in self._land.items() if region in but}

    def take_places(self, names: str, places: Ints) -> None:
        """Have at hand where on the shelf the assets of a list of names stand; -1: they are gone."""
        self._places[names] = places

    def made(self, asked: Asked) -> Made:
        """Decide what a site holds."""
        land, rankings = self._land[asked.region]
        shelf = self._tomorrow.shelf
        made = plan_site(
            asked.site,
            asked.boxes,
            shelf,
            self._tomorrow.expected(asked.site, land, rankings),
            land=land,
            held=self._held(asked.kept),
            terms=replace(
                self._terms,
                moves_max_bytes=max(asked.allowed_bytes, CHOSEN_RATIO_MIN * asked.shifts_bytes),
                shifts_max_bytes=asked.shifts_bytes,
            ),
        )
        watched = self._tomorrow.yesterday(asked.site)
        came = outlook.came(made, *watched, day=self._now_ns // DAY_NS - 1) if watched is not None else None
        left = asked.allowed_bytes - made.replaced_bytes(shelf)
        return Made(asked.site, made, asked.capacities, left, came)

    def kept(self, made: Made, names: str) -> KeptPlan:
        """A plan as it is kept; ``names`` stands for those of the shelf."""
        return kept_plan(made.plan, self._tomorrow.shelf, made.capacities, names=names, now_ns=self._now_ns)

    def done(self, made: Made, names: str) -> Done:
        """All that is kept of it."""
        night = outlook.night_of(made.plan, self._tomorrow.shelf, now_ns=self._now_ns)
        return Done(made.site, self.kept(made, names), night, made.allowed_bytes, made.came)

    def _held(self, kept: KeptPlan | None) -> Held:
        if kept is None:
            return Held(np.zeros(0, np.int64), {})
        places = self._places[kept.names][kept.places()]
        there = places >= 0
        if there.all():
            return Held(places, dict(zip(kept.boxes, kept.held(), strict=True)))
        return Held(places[there], dict(zip(kept.boxes, kept.held()[:, there], strict=True)))
