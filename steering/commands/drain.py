"""``oca-steering drain``, ``undrain`` and ``turnup``: boxes and sites out of service and back, new boxes in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer
from msgspec import Struct

from oca.common.command import ConfigOption, JsonOption, SetOption, for_seconds, print_json, print_line
from oca.common.errors import ConfigError
from steering.commands.opened import opened
from steering.fleet.drains import DRAIN_S_MAX, REASON_CHARACTERS_MAX, Scope, sentence
from steering.fleet.operators_orders import change_turnup
from steering.fleet.operators_orders import drain as put_drain
from steering.fleet.operators_orders import undrain as end_drain
from steering.settings import SteeringSettings
from steering.trust.local_actor import local_actor

turnup_app = typer.Typer(help="New appliances: what they have to pass before their first viewer.", no_args_is_help=True)
ApplianceOption = Annotated[str, typer.Option("--appliance", help="Which appliance.")]
SiteOption = Annotated[str, typer.Option("--site", help="Which site, with all of its appliances.")]
ApplianceArgument = Annotated[str, typer.Argument(help="Its id.")]


class Ended(Struct, frozen=True):
    """What ``undrain --json`` prints."""

    scope: Scope
    name: str


class TurnupChanged(Struct, frozen=True):
    """What ``turnup accept|again --json`` prints."""

    appliance: str
    action: Literal["accept", "again"]


def drain(
    *,
    appliance: ApplianceOption = "",
    site: SiteOption = "",
    lasting: Annotated[str, typer.Option("--for", help="Serve again by itself after this: 45s, 30m, 2h or 1d.")] = "",
    reason: Annotated[str, typer.Option("--reason", help="Why, for whoever looks next.")] = "",
    config: ConfigOption = None,
    sets: SetOption = None,
    json: JsonOption = False,
) -> None:
    """Send no new viewers to an appliance or a site; who plays there is moved. 'undrain' takes it back."""
    for_s = for_seconds(lasting, most_s=DRAIN_S_MAX)
    if len(reason) > REASON_CHARACTERS_MAX or not reason.isprintable():
        raise ConfigError(
            "--reason is too long, or no plain line", remedy=f"{REASON_CHARACTERS_MAX} characters at most"
        )
    with opened(config, sets) as (settings, state):
        scope, name = _named(settings, appliance, site)
        made = put_drain(state, local_actor(), scope, name, for_s=for_s, reason=reason)
    if json:
        print_json(made)
    else:
        print_line(f"{scope} {name}: no new viewers. {sentence(made)}")


def undrain(
    appliance: ApplianceOption = "",
    site: SiteOption = "",
    config: ConfigOption = None,
    sets: SetOption = None,
    json: JsonOption = False,
) -> None:
    """Send viewers to an appliance or a site again that was drained from here."""
    with opened(config, sets) as (settings, state):
        scope, name = _named(settings, appliance, site)
        if not end_drain(state, local_actor(), scope, name):
            raise ConfigError(
                f"{scope} {name} is not drained from here",
                remedy="see 'oca-steering fleet'; a box drained on itself: 'oca undrain' there",
            )
    if json:
        print_json(Ended(scope, name))
    else:
        print_line(f"{scope} {name}: viewers come again")


@turnup_app.command("accept")
def accept(
    appliance: ApplianceArgument, config: ConfigOption = None, sets: SetOption = None, json: JsonOption = False
) -> None:
    """Let a new appliance in, whatever its checks say."""
    _turnup(appliance, "accept", config, sets, json=json)


@turnup_app.command("again")
def again(
    appliance: ApplianceArgument, config: ConfigOption = None, sets: SetOption = None, json: JsonOption = False
) -> None:
    """Have an appliance pass its checks anew before its next viewer, where the box was replaced."""
    _turnup(appliance, "again", config, sets, json=json)


def _turnup(
    appliance: str, action: Literal["accept", "again"], config: Path | None, sets: list[str] | None, *, json: bool
) -> None:
    with opened(config, sets) as (settings, state):
        _, name = _named(settings, appliance, "")
        if not settings.turnup.wanted:
            raise ConfigError("[turnup] wanted = false: nothing is checked", remedy="set it to true first")
        change_turnup(state, local_actor(), name, action)
    if json:
        print_json(TurnupChanged(appliance, action))
    else:
        words = {"accept": "takes viewers", "again": "is checked before its next viewer"}
        print_line(f"{appliance} {words[action]}")


def _named(settings: SteeringSettings, appliance: str, site: str) -> tuple[Scope, str]:
    """Which of the two is meant.

    Raises:
        ConfigError: Neither or both, or there is none of that name.
    """
    if bool(appliance) == bool(site):
        raise ConfigError("one appliance or one site is wanted", remedy="give --appliance ID or --site ID")
    if site:
        known, scope, name = {each.id for each in settings.site}, "site", site
    else:
        known, scope, name = {entry.id for each in settings.site for entry in each.appliance}, "appliance", appliance
    if name not in known:
        raise ConfigError(
            f"there is no {scope} {name!r} in these settings",
            remedy="look at [[site]] in the settings file" if known else "give --config with the service's settings",
        )
    return ("site" if site else "appliance"), name
