"""``oca-steering audit``: who changed what, when, from where."""

from __future__ import annotations

from typing import Annotated

import typer

from oca.common.command import EXIT_FAILED, ConfigOption, JsonOption, SetOption, print_error, print_json, print_line
from oca.common.units import format_instant
from steering.commands.opened import opened
from steering.commands.tables import print_table
from steering.trust.audit import fault_of, read_entries

ROWS_MAX = 1_000_000


def audit(
    last: Annotated[int, typer.Option("--last", min=1, max=ROWS_MAX, help="How many entries, the newest.")] = 50,
    verify: Annotated[
        bool, typer.Option("--verify", help="Check that no entry was changed or taken out; fails if one was.")
    ] = False,
    config: ConfigOption = None,
    sets: SetOption = None,
    json: JsonOption = False,
) -> None:
    """Show the audit log: every change of the fleet, titles, keys and users."""
    with opened(config, sets) as (_, state):
        entries, fault = read_entries(state, last=last), fault_of(state) if verify else ""
    if json:
        print_json({"entries": entries, "fault": fault})
    elif entries:
        print_table(
            ("AT", "WHO", "FROM", "ACTION", "WHAT"),
            ((format_instant(each.at_ns), each.who, each.place, each.action, each.what) for each in entries),
        )
    else:
        print_line("nothing was changed yet")
    if verify and not fault and not json:
        print_line("the audit log is whole: no entry was changed or taken out")
    if fault:
        print_error(f"oca-steering: the audit log is not whole: {fault}")
        raise SystemExit(EXIT_FAILED)
