"""The ``oca-steering`` command: its commands put together; serving and explaining."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from oca import __version__
from oca.common.command import (
    ConfigOption,
    JsonOption,
    RequiredConfigOption,
    SetOption,
    new_app,
    print_json,
    print_line,
    run_app,
)
from oca.common.config_command import config_app
from steering.cli_audit import audit
from steering.cli_catalogue import publish, titles
from steering.cli_drain import drain, turnup_app, undrain
from steering.cli_enrol import enrol_app
from steering.cli_fleet import fleet
from steering.cli_history import history
from steering.cli_keys import keys_app
from steering.cli_plan import demand_app, plan
from steering.cli_replay import replay
from steering.cli_routes import routes_app
from steering.cli_state import state_app
from steering.cli_users import users_app
from steering.settings import HEADING, PREFIX, SteeringSettings, load_settings, taken_up

app = new_app("oca-steering", __version__, "Steer viewers to the nearest appliance that holds what they watch.")


def _check_start(file: Path, sets: Sequence[str]) -> list[str]:
    from steering.prefix_files import read_prefix_file  # noqa: PLC0415 - the other commands start without its parts
    from steering.service import read_tokens  # noqa: PLC0415

    settings = load_settings(file, sets)
    read_tokens(settings)
    for site in settings.site:
        if site.prefix_file:
            read_prefix_file(site.prefix_file)
    return []


app.add_typer(
    config_app(SteeringSettings, prefix=PREFIX, heading=HEADING, check_start=_check_start, taken_up=taken_up),
    name="config",
)
app.add_typer(demand_app, name="demand")
app.add_typer(enrol_app, name="enrol")
app.add_typer(keys_app, name="keys")
app.add_typer(routes_app, name="routes")
app.add_typer(state_app, name="state")
app.add_typer(turnup_app, name="turnup")
app.add_typer(users_app, name="users")
app.command()(drain)
app.command()(undrain)
app.command()(fleet)
app.command()(audit)
app.command()(history)
app.command()(publish)
app.command()(titles)
app.command()(plan)
app.command()(replay)


def main() -> None:
    """Run the command line."""
    run_app(app, "oca-steering")


@app.command()
def serve(config: RequiredConfigOption, sets: SetOption = None) -> None:
    """Serve players, appliances and the page until SIGTERM or Ctrl-C."""
    settings = load_settings(config, sets or ())
    from steering.service import serve as run_service  # noqa: PLC0415 - the other commands start without its parts

    run_service(settings)


@app.command()
def explain(
    title: Annotated[str, typer.Option("--title", help="Which title.")],
    client: Annotated[str, typer.Option("--client", help="The viewer's IP address; without it, this machine's.")] = "",
    config: ConfigOption = None,
    sets: SetOption = None,
    json: JsonOption = False,
) -> None:
    """Ask the running service where it would send a viewer, and why the other sources lost."""
    settings = load_settings(config, sets or ())
    from steering.cli_ask import ask_explanation  # noqa: PLC0415 - loads an HTTP client

    answer = ask_explanation(settings.api, title=title, client=client)
    if json:
        print_json(answer)
        return
    place = f"in {answer.prefix} of site {answer.site}" if answer.prefix else "in no configured prefix"
    print_line(f"{answer.title} for {answer.client} ({place}{', region ' + answer.region if answer.region else ''})")
    if answer.barred:
        print_line(f"nobody may serve it: {answer.barred}")
    for number, pathway in enumerate(answer.pathways, start=1):
        print_line(f"{number:>3}. {pathway.pathway}  {pathway.url}\n     {pathway.why}")
    if answer.rejected:
        print_line("not offered:")
    for lost in answer.rejected:
        print_line(f"   - {lost.pathway}: {lost.why}")
