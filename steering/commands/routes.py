"""``oca-steering routes``: what appliances hear by BGP, compared."""

from __future__ import annotations

import typer

from oca.common.command import EXIT_FAILED, ConfigOption, JsonOption, SetOption, print_json, print_line
from steering.settings import load_settings

routes_app = typer.Typer(help="Routes that ISPs announce to appliances by BGP.", no_args_is_help=True)


@routes_app.callback()
def routes() -> None:
    """Routes that ISPs announce to appliances by BGP."""


@routes_app.command()
def audit(config: ConfigOption = None, sets: SetOption = None, json: JsonOption = False) -> None:
    """Ask the running service what is wrong with the routes that it is told of. Exit code 1 if anything is."""
    settings = load_settings(config, sets or ())
    from steering.commands.ask import ask_route_audit  # noqa: PLC0415 - loads an HTTP client

    found = ask_route_audit(settings.api)
    if json:
        print_json(found)
    else:
        routes = sum(one.routes for one in found.appliances)
        print_line(f"{len(found.appliances)} appliances hear {routes} routes; {found.prefixes} prefixes count")
        for one in found.findings:
            where = f"{one.appliance} of site {one.site}" if one.appliance else f"sites {one.site}"
            examples = ", ".join(one.examples) + (", …" if one.prefixes > len(one.examples) else "")
            print_line(f"- {where}: {one.prefixes} prefixes ({examples}): {one.why}\n    {one.remedy}")
        if not found.findings:
            print_line("nothing is wrong with them")
    if found.findings:
        raise SystemExit(EXIT_FAILED)
