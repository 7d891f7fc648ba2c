"""Makes the plans: reads demand and capacities from the state, has them decided, keeps the result for the night."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import cached_property

import numpy as np

from oca.common.messages import FillPlan
from steering.catalogue import Catalogue
from steering.demand import drop_before
from steering.evidence import DAY_NS
from steering.forecast import Ints
from steering.ground import Ground, Terms, ground
from steering.kept_plan import KeptPlan, fill_plan, kept_plan
from steering.outlook import Came, came, keep_night, night_of
from steering.placement import Box
from steering.plan import SitePlan, plan_site
from steering.plan_store import PlanStore, drop_names, put_names, put_plan
from steering.settings import Site, SteeringSettings
from steering.shelf import Shelf, name_hash
from steering.state.store import StateReader, StateStore
from steering.tomorrow import Tomorrow

_MADE_KEY = "about/planned-at-ns"
_GAP_NS_MAX = 7 * 86400 * 10**9
SAVED_NIGHTS = 14
THREADS = 2
"""Sites are planned side by side: most of it is NumPy, which lets the other one go on."""
SITES_PER_WRITE = 16


@dataclass(frozen=True, slots=True)
class Made:
    """A site's plan, how many bytes it may still move on later nights, and what came yesterday, if that is known."""

    site: str
    plan: SitePlan
    capacities: dict[str, int]
    allowed_bytes: float
    came: Came | None


class Night:
    """All that one night's planning goes by; sites are planned as they are asked for."""

    def __init__(self, state: StateStore, settings: SteeringSettings, sites: Sequence[Site], *, now_ns: int) -> None:
        """Read what there is.

        Raises:
            SteeringError: Past demand cannot be read.
        """
        self._state, self._settings, self._now_ns = state, settings, now_ns
        self._boxes = {site.id: found for site in sites if (found := _boxes(state, settings, site))}
        self.sites = [site for site in sites if site.id in self._boxes]
        self._tomorrow = Tomorrow(state, settings, list(self._boxes), now_ns=now_ns)
        self._plans = PlanStore(state)
        self._land: dict[str, Ground] = {}
        self._moved: dict[str, Ints] = {}

    @property
    def shelf(self) -> Shelf:
        """The catalogue."""
        return self._tomorrow.shelf

    @property
    def aside(self) -> list[str]:
        """What past demand it has to do without, a line each."""
        return self._tomorrow.aside

    @cached_property
    def _terms(self) -> Terms:
        plan = self._settings.plan
        return Terms(plan.payback_days, np.inf, plan.hot_share, plan.ladders == "whole", plan.pinned, plan.banned)

    def prepare(self) -> None:
        """Reckon what sites share, so that they can be planned side by side."""
        for site in self.sites:
            if site.region not in self._land:
                self._land[site.region] = ground(self.shelf, site.region, self._terms, now_ns=self._now_ns)
            kept = self._plans.kept(site.id)
            if kept is not None and kept.names not in self._moved:
                names, place = self._plans.names(kept.names), self.shelf.place
                self._moved[kept.names] = np.array([place.get(name, -1) for name in names], np.int64)

    def plan(self, site: Site) -> Made:
        """Decide what a site holds."""
        boxes = self._boxes[site.id]
        nightly = self._settings.plan.nightly_ratio * sum(box.space_bytes for box in boxes)
        saved = self._state.get(f"allowed/{site.id}")
        allowed = min(float(saved) + nightly if saved is not None else np.inf, SAVED_NIGHTS * nightly)
        made = plan_site(
            site.id,
            boxes,
            self.shelf,
            self._tomorrow.expected(site.id),
            land=self._land[site.region],
            held=self._held(site.id),
            terms=replace(self._terms, moves_max_bytes=allowed),
        )
        capacities = {box.name: _capacity(self._state, box.name) for box in boxes}
        watched = self._tomorrow.yesterday(site.id)
        told = came(made, *watched, day=self._now_ns // DAY_NS - 1) if watched is not None else None
        return Made(site.id, made, capacities, max(0.0, allowed - made.replaced_bytes(self.shelf)), told)

    def kept(self, made: Made, names: str) -> KeptPlan:
        """A plan as it is kept."""
        return kept_plan(made.plan, self.shelf, made.capacities, names=names, now_ns=self._now_ns)

    def fill_plans(self, made: Made, catalogue: Catalogue) -> dict[str, FillPlan]:
        """The plans of a site's boxes, by appliance."""
        kept, names = self.kept(made, ""), list(self.shelf.place)
        return {box: fill_plan(kept, box, names, catalogue.assets, catalogue.titles) for box in kept.boxes}

    def _held(self, site: str) -> dict[str, Ints]:
        kept = self._plans.kept(site)
        if kept is None:
            return {}
        places = self._moved[kept.names][kept.places()]
        return {box: places[on & (places >= 0)] for box, on in zip(kept.boxes, kept.held(), strict=True)}


def make_plans(state: StateStore, settings: SteeringSettings, *, now_ns: int) -> int:
    """Plan for every appliance whose capacity is known, keep the plans, and drop demand past its time.

    Nothing is dropped in the first planning after a week without any.

    Returns:
        For how many appliances.
    """
    from steering.history import log  # noqa: PLC0415 - the other commands start without its engines
    from steering.history.upkeep import keep_up  # noqa: PLC0415

    state.free_readers()  # a reader that died would keep the pages that writes free
    keep_up(state, settings, now_ns=now_ns)
    night = Night(state, settings, settings.site, now_ns=now_ns)
    night.prepare()
    names = put_names(state, list(night.shelf.place))
    planned = sum(_keep(state, night, names))
    oldest = _day(now_ns) - timedelta(days=settings.plan.history_days)
    with state.write() as transaction:
        # After a long gap the clock may be wrong; by the next planning it is put right, or was right.
        since_ns = now_ns - planned_at_ns(transaction)
        drop_names(transaction, but=names)
        transaction.put(_MADE_KEY, str(now_ns).encode())
        if since_ns <= _GAP_NS_MAX:
            drop_before(transaction, oldest)
            log.drop_before(transaction, now_ns // DAY_NS - settings.history.keep_days)
    return planned


def _keep(state: StateStore, night: Night, names: str) -> Iterator[int]:
    """Plan and keep some sites after the others: the writer that appliances wait for must be brief."""

    def one(site: Site) -> tuple[Made, KeptPlan]:
        made = night.plan(site)
        return made, night.kept(made, names)

    with ThreadPoolExecutor(THREADS, thread_name_prefix="plans") as pool:
        for start in range(0, len(night.sites), SITES_PER_WRITE):
            planned = list(pool.map(one, night.sites[start : start + SITES_PER_WRITE]))
            with state.write() as transaction:
                for made, kept in planned:
                    put_plan(transaction, made.site, kept)
                    night_made = night_of(made.plan, night.shelf, now_ns=kept.made_at_ns)
                    keep_night(transaction, made.site, night_made, made.came)
                    transaction.put(f"allowed/{made.site}", str(int(made.allowed_bytes)).encode())
            yield sum(len(kept.boxes) for _, kept in planned)


def compute_plans(
    state: StateStore, settings: SteeringSettings, sites: Sequence[Site], catalogue: Catalogue, *, now_ns: int
) -> dict[str, FillPlan]:
    """The plans of these sites' appliances as they would be made now; nothing is kept."""
    night = Night(state, settings, sites, now_ns=now_ns)
    night.prepare()
    return {name: plan for site in night.sites for name, plan in night.fill_plans(night.plan(site), catalogue).items()}


def _boxes(state: StateReader, settings: SteeringSettings, site: Site) -> list[Box]:
    """The site's appliances whose capacity is known."""
    return [
        Box(
            entry.id,
            name_hash(entry.id),
            settings.plan.capacity_ratio * _capacity(state, entry.id),
            entry.egress_bits_per_s / 8 if entry.egress_bits_per_s else np.inf,
        )
        for entry in site.appliance
        if state.get(f"capacity/{entry.id}") is not None
    ]


def _capacity(state: StateReader, appliance: str) -> int:
    return int(state.get(f"capacity/{appliance}") or b"0")


def planned_at_ns(state: StateReader) -> int:
    """When plans were last made; 0: never."""
    return int(state.get(_MADE_KEY) or b"0")


def next_planning(at: str, after: datetime) -> datetime:
    """The next instant after ``after`` (aware, local) at which the clock on the wall shows ``at``."""
    hour, _, minute = at.partition(":")
    due = after.replace(hour=int(hour), minute=int(minute), second=0, microsecond=0)
    return due if due > after else due + timedelta(days=1)


def last_planning(at: str, before: datetime) -> datetime:
    """The last instant up to ``before`` at which the clock on the wall showed ``at``."""
    return next_planning(at, before) - timedelta(days=1)


def _day(instant_ns: int) -> date:
    return datetime.fromtimestamp(instant_ns / 1e9, tz=UTC).date()
