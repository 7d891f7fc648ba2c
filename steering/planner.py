"""Makes the plans: reads demand and capacities from the state, has them decided, keeps the result for the night."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import msgspec
import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from oca.common.messages import FillPlan
from steering.catalogue import AssetSummary, read_titles
from steering.demand import drop_before
from steering.evidence import DAY_NS, evidence
from steering.forecast import Floats, Forecast, Smoothing, Taste, kindred_prior, kinship, world_prior
from steering.history.settings import history_folder
from steering.masters import is_packed, packed
from steering.outlook import Came, came, keep_night, night_of
from steering.placement import Box
from steering.plan import FILLED_AHEAD_NS, SitePlan, Terms, plan_digest, plan_site
from steering.settings import Site, SteeringSettings
from steering.shelf import Shelf, name_hash, shelve
from steering.state.store import StateReader, StateStore

_MADE_KEY = "about/planned-at-ns"
_GAP_NS_MAX = 7 * 86400 * 10**9
SAVED_NIGHTS = 14
KINDRED_SITES_MAX = 500
"""Above, likeness between sites costs more than it tells: the fleet as a whole is the prior."""
_decode_plan = msgspec.msgpack.Decoder(FillPlan).decode
_encode = msgspec.msgpack.Encoder().encode


@dataclass(frozen=True, slots=True)
class Night:
    """All that one night's planning goes by and came to.

    ``allowed_bytes`` is what each site may still move; ``aside`` says what past demand it had to do without,
    ``came`` what was watched yesterday at each site, where that is known.
    """

    shelf: Shelf
    sites: dict[str, SitePlan]
    allowed_bytes: dict[str, float]
    aside: list[str]
    came: dict[str, Came]

    @property
    def plans(self) -> dict[str, FillPlan]:
        """Appliance → plan."""
        return {appliance: plan for site in self.sites.values() for appliance, plan in site.plans.items()}


def make_plans(state: StateStore, settings: SteeringSettings, *, now_ns: int) -> dict[str, FillPlan]:
    """Plan for every appliance whose capacity is known, keep the plans, and drop demand past its time.

    Nothing is dropped in the first planning after a week without any.
    """
    from steering.history import log  # noqa: PLC0415
    from steering.history.upkeep import keep_up  # noqa: PLC0415 - see _expected

    state.free_readers()  # a reader that died would keep the pages that writes free
    keep_up(state, settings, now_ns=now_ns)
    night = plan_night(state, settings, settings.site, now_ns=now_ns)
    oldest = _day(now_ns) - timedelta(days=settings.plan.history_days)
    with state.write() as transaction:
        # After a long gap the clock may be wrong; by the next planning it is put right, or was right.
        since_ns = now_ns - planned_at_ns(transaction)
        for appliance, plan in night.plans.items():
            transaction.put(f"plan/{appliance}", _encode(plan))
            transaction.put(f"planned/{appliance}", packed(item.asset for item in plan.assets))
        for site, made in night.sites.items():
            keep_night(transaction, site, night_of(made, night.shelf, now_ns=now_ns), night.came.get(site))
        for site, allowed in night.allowed_bytes.items():
            transaction.put(f"allowed/{site}", str(int(allowed)).encode())
        transaction.put(_MADE_KEY, str(now_ns).encode())
        if since_ns <= _GAP_NS_MAX:
            drop_before(transaction, oldest)
            log.drop_before(transaction, now_ns // DAY_NS - settings.history.keep_days)
    return night.plans


def compute_plans(
    state: StateStore, settings: SteeringSettings, sites: Sequence[Site], *, now_ns: int
) -> dict[str, FillPlan]:
    """The plans of these sites' appliances as they would be made now; nothing is kept."""
    return plan_night(state, settings, sites, now_ns=now_ns).plans


def plan_night(state: StateStore, settings: SteeringSettings, sites: Sequence[Site], *, now_ns: int) -> Night:
    """The plans as they would be made now, with what they go by."""
    shelf = shelve(read_titles(state))
    boxes = {site.id: found for site in sites if (found := _boxes(state, settings, site))}
    expected, yesterday, aside = _expected(state, settings, shelf, list(boxes), now_ns=now_ns)
    night = Night(shelf, {}, {}, aside, {})
    for site in sites:
        if site.id not in boxes:
            continue
        nightly = settings.plan.nightly_ratio * sum(box.space_bytes for box in boxes[site.id])
        kept = state.get(f"allowed/{site.id}")
        allowed = min(float(kept) + nightly if kept is not None else np.inf, SAVED_NIGHTS * nightly)
        plan = settings.plan
        made = plan_site(
            site.id,
            boxes[site.id],
            shelf,
            expected[site.id],
            region=site.region,
            held={box.name: _held(state, box.name) for box in boxes[site.id]},
            terms=Terms(plan.payback_days, allowed, plan.hot_share, plan.ladders == "whole", plan.pinned, plan.banned),
            capacities={box.name: _capacity(state, box.name) for box in boxes[site.id]},
            now_ns=now_ns,
        )
        night.sites[site.id] = made
        if site.id in yesterday:
            night.came[site.id] = came(made, *yesterday[site.id], day=now_ns // DAY_NS - 1)
        brought = float(((made.held & ~made.before) * shelf.stored_bytes)[made.before.any(axis=1)].sum())
        night.allowed_bytes[site.id] = max(0.0, allowed - brought)
    return night


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


def _held(state: StateReader, appliance: str) -> list[str]:
    found = state.get(f"plan/{appliance}")
    return [item.asset for item in _decode_plan(found).assets] if found is not None else []


def _expected(
    state: StateStore, settings: SteeringSettings, shelf: Shelf, sites: Sequence[str], *, now_ns: int
) -> tuple[dict[str, Floats], dict[str, tuple[NDArray[np.int32], Floats]], list[str]]:
    """Tomorrow's bytes by asset of each site, from the demand of all; yesterday's, if that was a whole day; and what of
    the demand is missing.
    """
    from steering.history.past import read_past  # noqa: PLC0415 - the other commands start without its engines

    plan = settings.plan
    past = read_past(
        state,
        settings.history,
        shelf,
        folder=history_folder(settings),
        sites=sites,
        history_days=plan.history_days,
        half_life_days=plan.half_life_days,
        now_ns=now_ns,
    )
    smoothing = Smoothing(half_life_days=plan.half_life_days, prior_strength=plan.fleet_days)
    seen = evidence(past.watched, shelf, past.window, half_life_days=plan.half_life_days)
    families, taste = shelf.families, Taste.of(seen, shelf.families)
    world = world_prior(taste, debut_share=np.full(families.titles, past.debut_share))
    released = shelf.released_at_ns <= now_ns + FILLED_AHEAD_NS
    expected = Forecast(seen, families, world, released=released, smoothing=smoothing)
    likeness = None
    if 1 < len(past.sites) <= KINDRED_SITES_MAX:
        likeness = kinship(taste, power=smoothing.kinship_power)
    numbers = {name: number for number, name in enumerate(past.sites)}
    found = {}
    for site in sites:
        prior = None
        if likeness is not None:
            prior = kindred_prior(world, taste, likeness[numbers[site]], strength=smoothing.world_strength)
        found[site] = expected.of(numbers[site], prior)
    is_whole = past.window.first < past.window.today
    yesterday = {site: past.yesterday.of(numbers[site]) for site in sites} if is_whole else {}
    return found, yesterday, past.aside


def stored_plan(state: StateReader, appliance: str, published: Mapping[str, AssetSummary]) -> FillPlan | None:
    """Last night's plan, brought up to what is published now: withdrawn assets left out, new revisions named."""
    found = state.get(f"plan/{appliance}")
    if found is None:
        return None
    plan = _decode_plan(found)
    assets = [
        replace(item, revision=published[item.asset].revision, bytes=published[item.asset].bytes)
        for item in plan.assets
        if item.asset in published
    ]
    return replace(plan, assets=assets, plan=plan_digest(appliance, plan.capacity_bytes, assets))


def plans_asset(state: StateReader, appliance: str, asset: str) -> bool:
    """Whether the appliance's plan of last night names the asset."""
    return is_packed(state.get(f"planned/{appliance}") or b"", asset)


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
