"""``oca-steering history``: which days of demand there are, and what is damaged."""

from __future__ import annotations

from oca.common.clock import now_ns
from oca.common.command import ConfigOption, JsonOption, SetOption, print_error, print_json, print_line
from oca.common.units import format_bytes
from steering.commands.tables import print_table
from steering.history.settings import history_folder
from steering.settings import load_settings
from steering.state.engine import open_state


def history(config: ConfigOption = None, sets: SetOption = None, *, json: JsonOption = False) -> None:
    """Show past demand by day, asked of the engine that plans use; hours that are not over yet are not in it."""
    settings = load_settings(config, sets or ())
    from steering.history.days import days_of  # noqa: PLC0415 - the other commands start without its engines

    state = open_state(settings.state)
    try:
        days, aside = days_of(state, settings, now_ns=now_ns())
    finally:
        state.close()
    if json:
        print_json({"days": days, "aside": aside})
        return
    print_table(
        ("DAY", "FILES", "ON DISK", "SITES", "ASSETS", "REQUESTS", "SESSIONS", "NOT HELD", "TURNED AWAY", "SERVED"),
        (
            (
                each.day,
                str(each.files),
                format_bytes(each.stored_bytes),
                str(each.sites),
                str(each.assets),
                str(each.requests),
                str(each.sessions),
                str(each.missed + each.redirected + each.fetched),
                str(each.turned_away),
                format_bytes(each.bytes),
            )
            for each in days
        ),
    )
    if history_folder(settings) is None:
        print_line("no files: name a folder that all instances see in history.path; demand stays in the state")
    elif not days:
        print_line("no hour is over yet for which an appliance told of demand")
    for why in aside:
        print_error(f"left out: {why}; plans go on without it")
