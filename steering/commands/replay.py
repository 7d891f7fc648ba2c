"""``oca-steering replay``: what other settings, or the loss of boxes, would have made of logged decisions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer

from oca.common.command import JsonOption, RequiredConfigOption, SetOption, print_error, print_json, print_line
from oca.common.errors import ConfigError, SteeringError
from oca.common.units import format_instant, format_rate
from steering.commands.meter import Meter
from steering.commands.tables import print_table
from steering.decision.again import Again
from steering.decision.record import LINE_BYTES_MAX, Begun, Seen, read_records
from steering.decision.replaying import Replay, Replayed
from steering.settings import SteeringSettings, load_settings

ROWS = 20


def replay(
    logs: Annotated[
        list[Path],
        typer.Argument(metavar="LOG", help="Files of decision_log.folder, or the folder itself.", exists=True),
    ],
    *,
    config: RequiredConfigOption,
    without: Annotated[
        list[str] | None,
        typer.Option("--without", metavar="NAME", help="As if this appliance, or this site, were away; repeatable."),
    ] = None,
    rows: Annotated[int, typer.Option("--rows", min=1, max=100_000, help="Rows of each table at most.")] = ROWS,
    sets: SetOption = None,
    json: JsonOption = False,
) -> None:
    """Make logged decisions again by these settings: what moves, how far, and whom it would fill."""
    settings = load_settings(config, sets or ())
    away = _known(settings, without or ())
    replaying = Replay(Again(settings, away))
    for path in _files(logs):
        for record in _records(path):
            replaying.add(record)
    found = replaying.outcome(moves_max=rows)
    if json:
        print_json(found)
    elif not found.decisions:
        print_line("no decision is logged there")
    else:
        _show(found, rows)
    if found.spoilt:
        print_error(f"oca-steering: {found.spoilt} lines could not be read; the last line of a file may be cut")


def _known(settings: SteeringSettings, names: Sequence[str]) -> set[str]:
    known = {site.id for site in settings.site} | {entry.id for site in settings.site for entry in site.appliance}
    for name in names:
        if name not in known:
            raise ConfigError(
                f"--without {name}: no such appliance or site", remedy="name one that steering.toml has in a [[site]]"
            )
    return set(names)


def _files(logs: Iterable[Path]) -> Iterator[Path]:
    for log in logs:
        found = sorted(log.glob("decisions-*.jsonl")) if log.is_dir() else [log]
        if not found:
            raise SteeringError(f"{log}: holds no decision log", remedy="name the [decision_log] folder of a service")
        yield from found


def _records(path: Path) -> Iterator[Begun | Seen | None]:
    total, done = path.stat().st_size, 0
    with path.open("rb") as file, Meter(path.name, doing="replaying", done="replayed") as meter:

        def lines() -> Iterator[bytes]:
            nonlocal done
            while line := file.readline(LINE_BYTES_MAX):
                done += len(line)
                meter.show(done, total)
                yield line

        yield from read_records(lines(), name=str(path))


def _show(found: Replayed, rows: int) -> None:
    span = f"{format_instant(found.first_at_ns)} to {format_instant(found.last_at_ns)}"
    print_line(f"{found.decisions} decisions, {span}")
    print_line(f"{found.moved} of them move ({found.moved / found.decisions:.1%})")
    if found.km_before is not None and found.km_after is not None:
        print_line(f"mean distance {found.km_before:.0f} km, then {found.km_after:.0f} km")
    for site in found.unseen:
        print_line(f"site {site} is new or of another class: what it would take of others' viewers is not in the log")
    print_line("")
    share = found.decisions / 100
    print_table(
        ("CLASS", "BEFORE", "THEN"),
        (
            (each.source_class, f"{each.before / share:.1f} %", f"{each.after / share:.1f} %")
            for each in found.classes
            if each.before or each.after
        ),
    )
    print_line("")
    print_table(
        ("SITE", "BEFORE", "THEN"),
        ((each.site, str(each.before), str(each.after)) for each in found.sites[:rows]),
    )
    print_line("")
    print_table(
        ("APPLIANCE", "SITE", "BEFORE", "THEN", "SENDS", "WOULD SEND", "OF ITS LINKS"),
        (
            (
                each.appliance,
                each.site,
                str(each.before),
                str(each.after),
                format_rate(each.sent_bytes_per_s),
                format_rate(each.after_bytes_per_s),
                ("" if each.use_after is None else f"{each.use_after:.0%}") + (" overfull" if each.overfull else ""),
            )
            for each in found.appliances[:rows]
        ),
    )
    if found.moves:
        print_line("")
        print_table(
            ("FROM", "TO", "DECISIONS"), ((each.before, each.after, str(each.decisions)) for each in found.moves[:rows])
        )
