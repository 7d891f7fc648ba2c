"""One night's planning: what it goes by is read from the state once, then sites are planned as they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from threading import Lock

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from oca.common.messages import FillPlan
from steering.plan.desk import Asked, Desk, Done, Made
from steering.plan.desks import Desks
from steering.plan.evidence import DAY_NS
from steering.plan.forecast import Floats, Ints
from steering.plan.ground import Ground, Terms, ground
from steering.plan.kept_plan import KeptPlan, fill_plan
from steering.plan.placement import Box
from steering.plan.shelf import name_hash
from steering.plan.store import PlanStore
from steering.plan.tomorrow import Tomorrow
from steering.plan.watched import Column
from steering.settings import Site, SteeringSettings
from steering.state.store import StateReader, StateStore
from steering.titles.catalogue import Catalogue

SAVED_NIGHTS = 14
"""Most that quiet nights save for others, and most that one takes from those to come."""


class Night:
    """All that one night's planning goes by; sites are planned as they are asked for."""

    def __init__(
        self,
        state: StateStore,
        settings: SteeringSettings,
        sites: Sequence[Site],
        *,
        now_ns: int,
        start: Callable[[int], Desks | None] = lambda _: None,
    ) -> None:
        """Read what there is.

        Args:
            state: Of steering.
            settings: Of steering.
            sites: Those to be planned, as far as the capacity of their boxes is known.
            now_ns: When.
            start: Gives the desks for so many sites, if they are to be planned by processes.

        Raises:
            SteeringError: Past demand cannot be read.
        """
        self._state, self._settings, self._now_ns = state, settings, now_ns
        with state.reading() as snapshot:
            self._capacities = _capacities(snapshot, sites)
        boxes = {site.id: _boxes(settings, site, self._capacities) for site in sites}
        self._boxes = {site: found for site, found in boxes.items() if found}
        self.sites = [site for site in sites if site.id in self._boxes]
        self.desks = start(len(self.sites))
        self._asked_of: Desks | None = None
        column = self.desks.memory.column if self.desks is not None else Column
        self._tomorrow = Tomorrow(state, settings, list(self._boxes), now_ns=now_ns, column=column)
        self.shelf, self.aside = self._tomorrow.shelf, self._tomorrow.aside
        self._plans = PlanStore(state)
        of = settings.plan
        self._terms = Terms(of.payback_days, np.inf, np.inf, of.hot_share, of.ladders == "whole", of.pinned, of.banned)
        self._desk = Desk(self._tomorrow, self._terms, now_ns=now_ns)
        self._ground: dict[str, Ground] = {}
        self._moved: dict[str, Ints] = {}
        self._moving = Lock()

    @property
    def yesterday(self) -> Callable[[str], tuple[NDArray[np.int32], Floats] | None]:
        """``Tomorrow.yesterday``, for who asks for it before sites are handed over."""
        return self._tomorrow.yesterday

    def prepare(self, sites: Sequence[Site]) -> None:
        """Reckon what these sites share, so that they can be planned side by side; let go of what only others share."""
        regions = {site.region for site in sites}
        self._desk.leave_ground(but=regions)
        for region in regions:
            self._desk.take_ground(region, self._ground_of(region))

    def plan(self, site: Site) -> Made:
        """Decide what a site holds, for which it is prepared."""
        asked = self._asked(site)
        if asked.kept is not None:
            self._desk.take_places(asked.kept.names, self.places_of(asked.kept.names))
        return self._desk.made(asked)

    def done(self, site: Site, names: str) -> Done:
        """The same as it is kept, by processes if they do; ``names`` stands for those of the shelf."""
        if self._asked_of is not None:
            return self._asked_of.done(self._asked(site))
        return self._desk.done(self.plan(site), names)

    def hand_over(self, desks: Desks, names: str) -> None:
        """Have processes plan its sites; from then on they alone do, and what is expected lies there alone."""
        desks.begin(
            self._tomorrow,
            self._terms,
            names=names,
            now_ns=self._now_ns,
            ground_of=self._ground_of,
            places_of=self.places_of,
        )
        self._asked_of, self._plans = desks, PlanStore(self._state, there=names)
        self._moved[names] = np.arange(self.shelf.count)
        del self._desk, self._tomorrow

    def _asked(self, site: Site) -> Asked:
        """What there is to know of a site before it is planned."""
        boxes = self._boxes[site.id]
        nightly = self._settings.plan.nightly_ratio * sum(box.space_bytes for box in boxes)
        saved, kept = self._state.get(f"allowed/{site.id}"), self._plans.kept(site.id)
        come = nightly * _night_since(kept, self._now_ns)
        saved_most = SAVED_NIGHTS * nightly
        allowed = saved_most if saved is None else min(max(float(saved), -saved_most) + come, saved_most)
        capacities = {box.name: self._capacities[box.name] for box in boxes}
        held = replace(kept, expected=b"") if kept is not None else None  # half of it, which tonight's is not made of
        return Asked(site.id, site.region, boxes, capacities, allowed, held, come)

    def _ground_of(self, region: str) -> Ground:
        """What holds in a region; of two at most it is at hand."""
        with self._moving:
            if region not in self._ground:
                found = ground(self.shelf, region, self._terms, now_ns=self._now_ns)
                self._ground = dict([*self._ground.items()][-1:]) | {region: found}
            return self._ground[region]

    def fill_plans(self, made: Made, catalogue: Catalogue) -> dict[str, FillPlan]:
        """The plans of a site's boxes, by appliance."""
        kept, names = self._desk.kept(made, ""), list(self.shelf.place)
        return {box: fill_plan(kept, box, names, catalogue.assets, catalogue.titles) for box in kept.boxes}

    def places_of(self, names: str) -> Ints:
        """Where on the shelf the assets of a list of names stand; -1: they are gone. Made once, whoever asks."""
        with self._moving:
            if names not in self._moved:
                listed, place = self._plans.names(names), self.shelf.place
                is_same = listed == list(place)
                found = range(len(place)) if is_same else [place.get(name, -1) for name in listed]
                self._moved[names] = np.array(found, np.int64)
            return self._moved[names]


def _night_since(kept: KeptPlan | None, now_ns: int) -> float:
    """The part of a night's moves that has come since a site's last plan: a planning that is tried again, or asked for
    by hand, brings no more of them than the night does.
    """
    if kept is None or kept.made_at_ns > now_ns:  # the clock was ahead, or is behind
        return 1.0
    return min((now_ns - kept.made_at_ns) / DAY_NS, 1.0)


def _capacities(state: StateReader, sites: Sequence[Site]) -> dict[str, int]:
    """Of the appliances that reported theirs."""
    found = ((entry.id, state.get(f"capacity/{entry.id}")) for site in sites for entry in site.appliance)
    return {appliance: int(raw) for appliance, raw in found if raw is not None}


def _boxes(settings: SteeringSettings, site: Site, capacities: Mapping[str, int]) -> list[Box]:
    """The site's appliances whose capacity is known."""
    return [
        Box(
            entry.id,
            name_hash(entry.id),
            settings.plan.capacity_ratio * capacities[entry.id],
            entry.egress_bits_per_s / 8 if entry.egress_bits_per_s else np.inf,
        )
        for entry in site.appliance
        if entry.id in capacities
    ]
