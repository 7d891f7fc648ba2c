"""``oca-steering fleet``: how each appliance stands and why, and who observes it."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from oca.common.command import ConfigOption, JsonOption, SetOption, print_json, print_line
from oca.common.units import format_rate
from steering.api.messages import ApplianceView, FleetView
from steering.probing.views import ObserversView, observer_lines
from steering.settings import load_settings


class FleetShown(Struct, frozen=True):
    """What ``fleet --json`` prints."""

    fleet: FleetView
    observers: ObserversView


def fleet(config: ConfigOption = None, sets: SetOption = None, json: JsonOption = False) -> None:
    """Show how each appliance stands and why, what new ones have yet to pass, and which instances observe them."""
    settings = load_settings(config, sets or ())
    from steering.commands.ask import ask_fleet  # noqa: PLC0415 - loads an HTTP client

    found, observers = ask_fleet(settings.api)
    if json:
        print_json(FleetShown(found, observers))
        return
    for site in found.sites:
        print_line(f"{site.site} ({site.site_class})")
        for appliance in found.appliances:
            if appliance.site == site.site:
                for line in appliance_lines(appliance):
                    print_line(f"  {line}")
    for line in observer_lines(observers.observers):
        print_line(line)


def appliance_lines(appliance: ApplianceView) -> Iterator[str]:
    """One appliance."""
    sent = f", {appliance.connections} connections, {format_rate(appliance.sent_bytes_per_s)} sent"
    yield f"{appliance.appliance}: {appliance.standing}{sent if appliance.up else ''}"
    yield f"  {appliance.why}"
    for check in appliance.checks:
        yield f"  {'pass' if check.passed else 'wait'}  {check.name}: {check.why}"
