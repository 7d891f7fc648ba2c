"""``oca routes``: what the running appliance hears by BGP, and what is wrong with it."""

from __future__ import annotations

from typing import Annotated

import typer

from oca.admin.client import ask_routes
from oca.admin.routes import ROUTES_SHOWN, ROUTES_SHOWN_MAX, audit_lines, routes_lines
from oca.common.command import EXIT_FAILED, ConfigOption, JsonOption, SetOption, print_json, print_line
from oca.settings import load_admin

routes_app = typer.Typer(help="Routes that the ISP announces to this box by BGP.", no_args_is_help=True)


@routes_app.command()
def show(
    config: ConfigOption = None,
    sets: SetOption = None,
    limit: Annotated[int, typer.Option(min=1, max=ROUTES_SHOWN_MAX, help="Most routes to list.")] = ROUTES_SHOWN,
    json: JsonOption = False,
) -> None:
    """Show sessions and routes as the running appliance has them."""
    page = ask_routes(load_admin(config, sets or ()).listen, limit)
    if json:
        print_json(page)
        return
    for line in routes_lines(page):
        print_line(line)


@routes_app.command()
def audit(config: ConfigOption = None, sets: SetOption = None, json: JsonOption = False) -> None:
    """Say what is wrong: sessions that are down, prefixes that steer nobody. Exit code 1 if anything is."""
    page = ask_routes(load_admin(config, sets or ()).listen, 1)
    if json:
        print_json({"why": page.why, "routes": page.routes, "findings": page.findings})
    else:
        for line in audit_lines(page):
            print_line(line)
    if page.why or page.findings:
        raise SystemExit(EXIT_FAILED)
