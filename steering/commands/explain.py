"""``oca-steering explain``: asks the running service about one viewer."""

from __future__ import annotations

from typing import Annotated

import typer

from oca.common.command import ConfigOption, JsonOption, SetOption, print_json, print_line
from steering.commands.ask import ask_explanation
from steering.settings import load_settings


def explain(
    title: Annotated[str, typer.Option("--title", help="Which title.")],
    client: Annotated[str, typer.Option("--client", help="The viewer's IP address; without it, this machine's.")] = "",
    config: ConfigOption = None,
    sets: SetOption = None,
    json: JsonOption = False,
) -> None:
    """Ask the running service where it would send a viewer, and why the other sources lost."""
    settings = load_settings(config, sets or ())
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
