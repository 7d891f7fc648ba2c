"""``oca-fill plan``: what a fill would do now, and why, without doing it."""

from __future__ import annotations

from typing import Annotated

import typer
import uvloop
from msgspec import structs

from fill.agent import PACK_OVERHEAD_BYTES, held_asset
from fill.budget import within_budget
from fill.diff import diff_plan
from fill.explain import explain, in_words
from fill.gate import Gate
from fill.http import new_session
from fill.preview import Preview, preview_fill
from fill.schedule import in_order
from fill.service import new_client
from fill.settings import Configuration, load_for_command, start_logging
from fill.state import FillState
from oca.common.command import ConfigOption, JsonOption, SetOption, print_json, print_line
from oca.common.errors import SteeringError
from oca.common.messages import AssetManifest, FillPlan
from oca.common.units import format_bytes
from oca.store.in_use import open_in_use
from oca.store.use import survey


def plan(
    config: ConfigOption = None,
    sets: SetOption = None,
    explain_asset: Annotated[
        str, typer.Option("--explain", metavar="ASSET", help="Tell of one asset why, in which place and from whom.")
    ] = "",
    json: JsonOption = False,
) -> None:
    """Show what a fill would do now, and why, without doing it."""
    configuration = load_for_command(config, sets)
    start_logging(configuration)
    wanted, manifest = uvloop.run(_ask(configuration, explain_asset))
    preview = _preview(configuration, wanted)
    if manifest is None:
        print_json(preview) if json else _print_preview(preview)
        return
    found = explain(
        next(planned for planned in wanted.assets if planned.asset == explain_asset),
        preview,
        manifest,
        ladder=configuration.own.ladder,
        budget=configuration.own.budget,
        window=Gate(configuration, FillState(configuration.devices[0]), ignore_window=False).look().why,
    )
    if json:
        print_json(found)
        return
    for line in in_words(found):
        print_line(line)


async def _ask(configuration: Configuration, asset: str) -> tuple[FillPlan, AssetManifest | None]:
    async with new_session() as session:
        client = new_client(session, configuration)
        wanted = await client.plan()
        if not asset:
            return wanted, None
        if not any(planned.asset == asset for planned in wanted.assets):
            raise SteeringError(
                f"the plan does not name {asset}", remedy="'oca-fill plan' lists what it names; 'oca-steering plan' why"
            )
        manifest = await client.manifest(asset)
        # The token is a secret, and nothing here needs it.
        hidden = [structs.replace(source, token_path="") for source in manifest.sources]
        return wanted, structs.replace(manifest, sources=hidden)


def _preview(configuration: Configuration, wanted: FillPlan) -> Preview:
    table = configuration.box.store
    reader = open_in_use(configuration.devices)
    try:
        found = survey(
            reader, device_bytes_max=table.device_bytes_max, reserve_ratio=table.reserve_ratio
        ).require_device()
    finally:
        reader.close()
    use = found.use
    held = [held_asset(pack) for pack in found.held]
    free_bytes = max(0, use.capacity_bytes - use.used_bytes)
    worth, left_out = within_budget(in_order(wanted.assets), {entry.asset for entry in held}, configuration.own.budget)
    diff = diff_plan(worth, held, free_bytes=free_bytes, overhead_bytes=PACK_OVERHEAD_BYTES)
    return preview_fill(wanted, diff, left_out, capacity_bytes=use.capacity_bytes, free_bytes=free_bytes)


def _print_preview(preview: Preview) -> None:
    width = max((len(step.asset) for step in preview.steps), default=0)
    for step in preview.steps:
        print_line(f"{step.action:<5}  {step.asset:<{width}}  {format_bytes(step.bytes):>10}  {step.why}")
    print_line(
        f"{preview.appliance}: {format_bytes(preview.fetch_bytes)} to fetch, {format_bytes(preview.evict_bytes)} to "
        f"evict; {format_bytes(preview.free_bytes)} of {format_bytes(preview.capacity_bytes)} free"
    )
