"""``oca enrol``: give this box a key of its own that steering knows."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from oca.common.command import ConfigOption, JsonOption, SetOption, print_error, print_json, print_line
from oca.common.errors import ConfigError
from oca.settings import load_settings

TOKEN_CHARACTERS_MAX = 4096


def enrol(
    token: Annotated[
        str,
        typer.Option("--token", help="What 'oca-steering enrol create' printed; -: read it from standard input."),
    ] = "",
    renew: Annotated[
        bool, typer.Option("--renew", help="Change the key of a box that is enrolled already; needs no token.")
    ] = False,
    config: ConfigOption = None,
    sets: SetOption = None,
    json: JsonOption = False,
) -> None:
    """Make a key on this box and have steering know it; a running daemon takes it up with its next report."""
    if bool(token) == renew:
        raise typer.BadParameter("pass either --token or --renew", param_hint="--token")
    settings = load_settings(config, sets or ())
    from oca import enrolment  # noqa: PLC0415 - loads an HTTP client and cryptography

    if renew:
        answer = enrolment.renew(settings.appliance, settings.steering)
    else:
        if token == "-" and sys.stdin.isatty():  # noqa: S105 - a dash
            print_error("Paste the token, then Enter:")
        given = sys.stdin.readline(TOKEN_CHARACTERS_MAX) if token == "-" else token  # noqa: S105 - a dash
        if not given.strip():
            raise ConfigError("--token -: nothing came on standard input", remedy="write the token to it, on one line")
        answer = enrolment.enrol(settings.appliance, settings.steering, given.strip())
    if json:
        print_json(answer)
        return
    print_line(f"{answer.appliance} of site {answer.site} is enrolled; steering knows it by the key {answer.keyid}")
    print_line(f"kept in {settings.steering.identity_file}; steering.token_file is not needed any more")
