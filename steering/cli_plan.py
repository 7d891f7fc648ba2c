"""``oca-steering plan`` and ``demand import``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from oca.common.clock import now_ns, utc_now
from oca.common.command import ConfigOption, JsonOption, SetOption, print_error, print_json, print_line
from oca.common.messages import FillPlan
from oca.common.units import format_bytes
from steering.catalogue import read_titles
from steering.cli_tables import print_table
from steering.demand import import_demand
from steering.planner import compute_plans, make_plans, stored_plan
from steering.settings import SteeringSettings, load_settings
from steering.state.embedded import open_state
from steering.state.store import StateStore

demand_app = typer.Typer(help="Past demand, which plans are made from.", no_args_is_help=True)


def plan(
    config: ConfigOption = None,
    sets: SetOption = None,
    now: Annotated[bool, typer.Option("--now", help="Make and keep new plans first, as every night.")] = False,
    json: JsonOption = False,
) -> None:
    """Show what each appliance is to hold: the last night's plan, or what would be planned if there is none."""
    settings = load_settings(config, sets or ())
    state = open_state(settings.state)
    try:
        plans = make_plans(state, settings, now_ns=now_ns()) if now else _plans(state, settings)
    finally:
        state.close()
    if json:
        print_json({"plans": list(plans.values())})
        return
    for site in settings.site:
        for entry in site.appliance:
            if entry.id in plans:
                _print_plan(plans[entry.id])
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


def _plans(state: StateStore, settings: SteeringSettings) -> dict[str, FillPlan]:
    plans = compute_plans(state, settings, settings.site, now_ns=now_ns())
    published = {asset.asset: asset for title in read_titles(state) for asset in title.assets}
    return {appliance: stored_plan(state, appliance, published) or plan for appliance, plan in plans.items()}


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
