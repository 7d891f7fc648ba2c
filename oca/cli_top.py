"""``oca top``: the box live in the terminal, with the hottest assets and client prefixes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from threading import Event
from typing import Annotated

import typer
from rich.console import Console
from rich.live import Live
from rich.text import Text

from oca.admin.client import ask_hot, ask_status
from oca.admin.top import ROWS_SHOWN, ROWS_SHOWN_MAX, Top, hot_prefixes, top_lines
from oca.common.addresses import parse_listen
from oca.common.clock import monotonic_s
from oca.common.command import ConfigOption, JsonOption, SetOption, print_json, print_line
from oca.network.prefix_rates import prefix_rates
from oca.network.sockets import Sent, read_sent
from oca.settings import ApplianceSettings, load_settings

FIRST_S = 1.0


def top(
    *,
    config: ConfigOption = None,
    sets: SetOption = None,
    every: Annotated[float, typer.Option(min=0.5, max=60, help="Seconds between two looks.")] = 2.0,
    rows: Annotated[int, typer.Option(min=1, max=ROWS_SHOWN_MAX, help="Most assets, and most prefixes.")] = ROWS_SHOWN,
    once: Annotated[bool, typer.Option("--once", help="One look and out, as without a terminal.")] = False,
    json: JsonOption = False,
) -> None:
    """Show the running appliance live: what it sends, its hottest assets and client prefixes. Ctrl-C ends it."""
    settings = load_settings(config, sets or ())
    if json or once or not sys.stdout.isatty():
        looks = _looks(settings, FIRST_S, rows)
        next(looks)  # rates need two looks
        found = next(looks)
        if json:
            print_json(found)
        else:
            for line in top_lines(found, rows):
                print_line(line)
        return
    with Live(console=Console(), screen=True, auto_refresh=False) as live:
        for found in _looks(settings, every, rows):
            live.update(Text("\n".join(top_lines(found, rows))), refresh=True)


def _looks(settings: ApplianceSettings, every_s: float, rows: int) -> Iterator[Top]:
    """One look after the other."""
    ports = {parse_listen(text, setting="delivery.listen").port for text in settings.delivery.addresses}
    before: Sent = {}
    began_s, pause = monotonic_s(), Event()
    while True:
        why = ""
        sent: Sent = {}
        try:
            sent = read_sent(ports)
        except OSError as error:
            why = f"not known: netlink: {error.strerror}"
        now_s = monotonic_s()
        yield Top(
            status=ask_status(settings.admin.listen),
            assets=ask_hot(settings.admin.listen, rows).assets,
            prefixes=hot_prefixes(prefix_rates(before, sent, now_s - began_s, rows)),
            why=why,
        )
        before, began_s = sent, now_s
        pause.wait(every_s)
