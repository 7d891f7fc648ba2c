"""Makes the plans: reads demand and capacities from the state, decides with plan.py, keeps the result for the night."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import partial

import msgspec
from msgspec.structs import replace

from oca.common.messages import FillPlan
from steering.catalogue import AssetSummary, Title, read_titles
from steering.demand import daily_bytes, drop_before
from steering.masters import is_packed, packed
from steering.plan import Offer, plan_appliance, plan_digest
from steering.plan_settings import PlanTable
from steering.popularity import smoothed_bytes_per_day
from steering.settings import Site, SteeringSettings
from steering.state.store import StateReader, StateStore

_MADE_KEY = "about/planned-at-ns"
_GAP_NS_MAX = 7 * 86400 * 10**9
_decode_plan = msgspec.msgpack.Decoder(FillPlan).decode
_encode = msgspec.msgpack.Encoder().encode
Demand = Mapping[str, Mapping[str, Mapping[int, int]]]


def make_plans(state: StateStore, settings: SteeringSettings, *, now_ns: int) -> dict[str, FillPlan]:
    """Plan for every appliance whose capacity is known, keep the plans, and drop demand past its time.

    Nothing is dropped in the first planning after a week without any.
    """
    plans = compute_plans(state, settings, settings.site, now_ns=now_ns)
    state.free_readers()  # a reader that died would keep the pages that this write frees
    oldest = _day(now_ns) - timedelta(days=settings.plan.history_days)
    with state.write() as transaction:
        # After a long gap the clock may be wrong; by the next planning it is put right, or was right.
        since_ns = now_ns - planned_at_ns(transaction)
        for appliance, plan in plans.items():
            transaction.put(f"plan/{appliance}", _encode(plan))
            transaction.put(f"planned/{appliance}", packed(item.asset for item in plan.assets))
        transaction.put(_MADE_KEY, str(now_ns).encode())
        if since_ns <= _GAP_NS_MAX:
            drop_before(transaction, oldest)
    return plans


def compute_plans(
    state: StateReader, settings: SteeringSettings, sites: Sequence[Site], *, now_ns: int
) -> dict[str, FillPlan]:
    """The plans of these sites' appliances as they would be made now; nothing is kept."""
    outlook = Outlook(read_titles(state), daily_bytes(state), settings.plan, now_ns=now_ns)
    plans = {}
    for site in sites:
        capacities = {
            entry.id: int(found) for entry in site.appliance if (found := state.get(f"capacity/{entry.id}")) is not None
        }
        if not capacities:
            continue
        offers = outlook.offers(site.id)
        for appliance, capacity_bytes in capacities.items():
            plans[appliance] = plan_appliance(
                appliance,
                offers,
                capacity_bytes=capacity_bytes,
                fill_ratio=settings.plan.capacity_ratio,
                region=site.region,
                now_ns=now_ns,
            )
    return plans


class Outlook:
    """The demand expected of every asset: a site's own, and a share of the whole fleet's, reckoned once for all."""

    def __init__(self, titles: Sequence[Title], demand: Demand, settings: PlanTable, *, now_ns: int) -> None:
        today = _day(now_ns)
        midnight = datetime(today.year, today.month, today.day, tzinfo=UTC)
        oldest = today.toordinal() - settings.history_days
        self._demand = demand
        self._expected = partial(
            smoothed_bytes_per_day,
            today=today.toordinal(),
            elapsed_of_today=(now_ns / 1e9 - midnight.timestamp()) / 86400,
            half_life_days=settings.half_life_days,
        )
        begun = min((day for assets in demand.values() for days in assets.values() for day in days), default=oldest)
        everywhere = _everywhere(demand)
        self._first_days: dict[str, int] = {}
        self._offers = []
        for title in titles:
            first_day = max(oldest, begun, min(_day(title.released_at_ns).toordinal(), today.toordinal()))
            for asset in title.assets:
                self._first_days[asset.asset] = first_day
                fleet = self._expected(everywhere.get(asset.asset, {}), first_day=first_day)
                self._offers.append(_offer(title, asset, settings.fleet_weight * fleet))

    def offers(self, site: str) -> list[Offer]:
        """Every asset with the demand expected of it at ``site``."""
        own = self._demand.get(site, {})
        return [
            dataclasses.replace(
                offer, site_bytes_per_day=self._expected(own[offer.asset], first_day=self._first_days[offer.asset])
            )
            if offer.asset in own
            else offer
            for offer in self._offers
        ]


def _everywhere(demand: Demand) -> dict[str, dict[int, int]]:
    """Asset → day → bytes at all sites. Smoothing is linear, so a sum smoothed is the sum of what each expects."""
    total: dict[str, dict[int, int]] = {}
    for assets in demand.values():
        for asset, daily in assets.items():
            days = total.setdefault(asset, {})
            for day, count in daily.items():
                days[day] = days.get(day, 0) + count
    return total


def _offer(title: Title, asset: AssetSummary, fleet_bytes_per_day: float) -> Offer:
    return Offer(
        asset=asset.asset,
        kind=asset.kind,
        revision=asset.revision,
        bytes=asset.bytes,
        objects=asset.objects,
        released_at_ns=title.released_at_ns,
        regions=tuple(title.regions),
        site_bytes_per_day=0.0,
        fleet_bytes_per_day=fleet_bytes_per_day,
    )


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
