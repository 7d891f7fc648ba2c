"""``oca-steering plan`` and ``demand import``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer

from oca.common.clock import now_ns, utc_now
from oca.common.command import ConfigOption, JsonOption, SetOption, print_error, print_json, print_line
from oca.common.errors import ConfigError
from oca.common.messages import FillPlan
from oca.common.units import format_bytes
from steering.commands.meter import Meter
from steering.commands.tables import print_table
from steering.plan.demand import import_demand
from steering.plan.explain import Explained, explain_asset
from steering.plan.night import Night
from steering.plan.outlook import day_of
from steering.plan.planner import make_plans
from steering.plan.residuals import read_intervals
from steering.plan.shelf import Shelf
from steering.plan.site_plan import SitePlan
from steering.plan.store import PlanStore
from steering.settings import Site, SteeringSettings, load_settings
from steering.state.engine import open_state
from steering.state.store import StateStore
from steering.titles.catalogue import Catalogue, read_titles

demand_app = typer.Typer(help="Past demand, which plans are made from.", no_args_is_help=True)


def plan(
    config: ConfigOption = None,
    sets: SetOption = None,
    *,
    site: Annotated[str, typer.Option("--site", help="This site alone.")] = "",
    now: Annotated[bool, typer.Option("--now", help="Make and keep new plans first, as every night.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="What would be planned now; nothing is kept.")] = False,
    explain: Annotated[str, typer.Option("--explain", help="Why this asset would be held or not, at each site.")] = "",
    json: JsonOption = False,
) -> None:
    """Show what each appliance is to hold: the last night's plan, or what would be planned if there is none."""
    if now and (dry_run or explain):
        raise typer.BadParameter("--now keeps plans; --dry-run and --explain keep nothing: give one of them")
    settings = load_settings(config, sets or ())
    sites = _sites(settings, site)
    state = open_state(settings.state)
    try:
        if now:
            with Meter("plans", doing="making", done="planned", unit="sites") as meter:
                make_plans(state, settings, now_ns=now_ns(), told=meter.show)
        shown = _shown(state, settings, sites, dry_run=dry_run, explain=explain)
    finally:
        state.close()
    for why in shown.aside:
        print_error(f"past demand is missing: {why}; planned without it")
    if explain:
        _print_all_explained(explain, shown.explained, json=json)
        return
    if json:
        told = {"plans": list(shown.plans.values())}
        print_json(told | ({"sites": list(shown.summaries.values())} if dry_run else {}))
        return
    for each in sites:
        if each.id in shown.summaries:
            _print_summary(shown.summaries[each.id])
        for entry in each.appliance:
            if entry.id in shown.plans:
                _print_plan(shown.plans[entry.id])
            else:
                print_error(f"{entry.id}: no plan, because it never reported its capacity; start oca serve on it")


@demand_app.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(help="CSV: site,asset,day,requests,bytes, with that header.")],
    config: ConfigOption = None,
    sets: SetOption = None,
) -> None:
    """Take in past demand, as another CDN's logs sum up to; each row sets its site, asset and day."""
    settings = load_settings(config, sets or ())
    state = open_state(settings.state)
    try:
        known = {asset.asset for title in read_titles(state) for asset in title.assets}
        rows, total = import_demand(
            file, state, sites={site.id for site in settings.site}, known=known, today=utc_now().date()
        )
    finally:
        state.close()
    print_line(f"{rows} rows, {format_bytes(total)}")


def _sites(settings: SteeringSettings, wanted: str) -> Sequence[Site]:
    found = [each for each in settings.site if wanted in ("", each.id)]
    if wanted and not found:
        known = ", ".join(each.id for each in settings.site) or "none"
        raise ConfigError(f"--site {wanted}: no such site", remedy=f"name one of steering.toml: {known}")
    return found


@dataclass(slots=True)
class _Shown:
    """What there is to show: plans by appliance, and of dry runs by site; ``aside`` of past demand that is missing."""

    plans: dict[str, FillPlan] = field(default_factory=dict)
    summaries: dict[str, dict[str, Any]] = field(default_factory=dict)
    explained: list[Explained] = field(default_factory=list)
    aside: list[str] = field(default_factory=list)


def _shown(
    state: StateStore, settings: SteeringSettings, sites: Sequence[Site], *, dry_run: bool, explain: str
) -> _Shown:
    """What was asked for. Nothing is planned where kept plans are all that is wanted, and are there."""
    catalogue, store, shown = Catalogue(state), PlanStore(state), _Shown()
    if not dry_run and not explain:
        for site in sites:
            found = {entry.id: store.plan(site.id, entry.id, catalogue) for entry in site.appliance}
            shown.plans |= {name: plan for name, plan in found.items() if plan is not None}
        sites = [site for site in sites if any(entry.id not in shown.plans for entry in site.appliance)]
    if not sites:
        return shown
    at_ns = now_ns()
    night = Night(state, settings, sites, now_ns=at_ns)
    if explain and explain not in night.shelf.place:
        of_title = [asset for asset in night.shelf.place if asset.startswith(f"{explain}/")]
        remedy = f"that is a title; name one of its assets: {', '.join(of_title)}" if of_title else ""
        raise ConfigError(
            f"--explain {explain}: no such asset is published", remedy=remedy or "oca-steering plan lists assets"
        )
    if explain and not night.sites:
        raise ConfigError(
            "no appliance of these sites has reported its capacity", remedy="start oca serve on one, then ask again"
        )
    night.prepare(night.sites)
    shown.aside, intervals = night.aside, read_intervals(state)
    for site in night.sites:
        made = night.plan(site)
        if explain:
            shown.explained.append(explain_asset(night.shelf, made.plan, explain, intervals, day=day_of(at_ns)))
            continue
        shown.plans = night.fill_plans(made, catalogue) | shown.plans
        if dry_run:
            shown.summaries[site.id] = _summary(made.plan, night.shelf)
    return shown


def _print_all_explained(asset: str, explained: Sequence[Explained], *, json: bool) -> None:
    if json:
        print_json({"asset": asset, "sites": explained})
        return
    for each in explained:
        _print_explained(each)


def _print_explained(each: Explained) -> None:
    print_line(f"{each.site}: {'held' if each.boxes else 'not held'}: {each.why}")
    between = f"four days in five {format_bytes(each.low_bytes)} to {format_bytes(each.high_bytes)}"
    if not each.interval_learned:
        between += f" by the back-test: {'too few nights here' if each.boxes else 'nights here tell of what is held'}"
    print_line(
        f"  expected tomorrow {format_bytes(each.expected_bytes)} ({between}), {format_bytes(each.bytes)} stored"
    )
    print_line(f"  {each.worth:.4g} bytes a day per stored byte; the last asset that is held has {each.cut:.4g}")
    print_line(f"  rank {each.rank} of {each.of} that may be here; on {', '.join(each.boxes) or 'no box'}")


def _summary(made: SitePlan, shelf: Shelf) -> dict[str, Any]:
    return {
        "site": made.site,
        "expected_hit_ratio": round(made.hit_ratio, 4),
        "bytes_to_move": int(made.moved_bytes(shelf)),
        "copies": int(made.on.sum()),
        "assets": int(made.on.any(axis=0).sum()),
        "just_missed": [shelf.assets[row].asset for row in made.just_missed(shelf)],
    }


def _print_summary(told: dict[str, Any]) -> None:
    print_line(
        f"{told['site']}: {told['expected_hit_ratio']:.1%} of tomorrow's bytes expected to be hits; "
        f"{format_bytes(told['bytes_to_move'])} to move; {told['assets']} assets in {told['copies']} copies"
    )
    print_line(f"  just missed: {', '.join(told['just_missed']) or 'nothing that anybody is expected to watch'}")


def _print_plan(plan: FillPlan) -> None:
    total = sum(item.bytes for item in plan.assets)
    print_line(
        f"{plan.appliance}: {len(plan.assets)} assets, {format_bytes(total)} of {format_bytes(plan.capacity_bytes)}"
    )
    print_table(
        ("  ASSET", "SIZE", "POPULARITY", "WHY"),
        ((f"  {item.asset}", format_bytes(item.bytes), f"{item.popularity:.2f}", item.why) for item in plan.assets),
    )
    print_line("")
