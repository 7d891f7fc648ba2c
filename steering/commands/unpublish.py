"""``oca-steering unpublish``: titles out of the catalogue, and what becomes of what boxes hold of them."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import Annotated

import typer
from msgspec import Struct

from oca.common.clock import now_ns
from oca.common.command import ConfigOption, JsonOption, SetOption, print_error, print_json, print_line
from oca.common.errors import SteeringError
from oca.common.units import format_bytes, format_instant
from steering.commands.catalogue import TitleRow, row_of
from steering.commands.opened import opened
from steering.commands.tables import print_table
from steering.key_schedule import SHARED_S
from steering.settings import ApiTable
from steering.signing_settings import SigningTable
from steering.titles.catalogue import Title
from steering.titles.unpublish import published
from steering.titles.unpublish import unpublish as take_out

TAKEN_UP_S = 5.0
"""By then all instances that are in touch have taken it up: they look four times a second."""


class TakenOut(Struct, frozen=True):
    """A title that was taken out, as it ``was``; ``boxes`` that are heard hold something of it; None: not known."""

    title: str
    boxes: int | None
    was: TitleRow


class Unpublished(Struct, frozen=True):
    """What ``unpublish --json`` prints; ``urls_end_at_ns``: when the last URL that is out ends; None: they do not."""

    titles: list[TakenOut]
    urls_end_at_ns: int | None


def unpublish(
    titles: Annotated[list[str], typer.Argument(metavar="TITLE", help="Ids, as in 'oca-steering titles'.")],
    config: ConfigOption = None,
    sets: SetOption = None,
    json: JsonOption = False,
) -> None:
    """Take titles out of the catalogue, with all their assets; a running service takes it up."""
    with opened(config, sets) as (settings, state):
        named = [title.title for title in published(titles, state)]
        boxes, why = _boxes(settings.api, named)  # before: the service tells of none that is gone
        found = take_out(named, state, now_ns=now_ns())
    if why:
        print_error(f"on how many boxes it lies is not known: {why}; see 'oca store ls' on each box")
    made = Unpublished([_row(title, boxes) for title in found], _urls_end_at_ns(settings.signing, now_ns()))
    if json:
        print_json(made)
    else:
        _show(made, settings.signing, config)


def _boxes(api: ApiTable, titles: list[str]) -> tuple[dict[str, int], str]:
    """On how many boxes each lies; or why the service does not say."""
    from steering.commands.ask import ask_boxes  # noqa: PLC0415 - loads an HTTP client

    try:
        return ask_boxes(api, titles), ""
    except SteeringError as error:
        return {}, f"{error.message} (next time: {error.remedy})"


def _row(title: Title, boxes: dict[str, int]) -> TakenOut:
    return TakenOut(title.title, boxes.get(title.title), row_of(title))


def _published_by(was: TitleRow, config: Path | None) -> str:
    """What publishes it again as it was."""
    said = [("--title", was.title), ("--name", was.name), ("--synopsis", was.synopsis), ("--mount", was.mount)]
    said += [("--origin-url", was.origin_url), ("--release-at", was.released_at)]
    said += [("--region", region) for region in was.regions]
    said += [("--config", str(config) if config is not None else "")]
    return " ".join(["oca-steering publish DIR", *(f"{name} {quote(value)}" for name, value in said if value)])


def _urls_end_at_ns(signing: SigningTable, at_ns: int) -> int | None:
    if signing.mode != "required":
        return None
    return at_ns + int((TAKEN_UP_S + SHARED_S + signing.token_lifetime_s) * 1e9)


def _show(made: Unpublished, signing: SigningTable, config: Path | None) -> None:
    print_table(
        ("TITLE", "NAME", "ASSETS", "SIZE", "BOXES"),
        (
            (
                row.title,
                row.was.name,
                str(len(row.was.assets)),
                format_bytes(row.was.bytes),
                "?" if row.boxes is None else str(row.boxes),
            )
            for row in made.titles
        ),
    )
    print_line("taken out: steering answers 404 within a second, at all instances that are in touch; no fill brings it")
    if made.urls_end_at_ns is None:
        print_line(f"who has a URL is served on by boxes that hold it, without end: [signing] mode = '{signing.mode}'")
    else:
        print_line(
            "who has a URL is served on by boxes that hold it, until the URL ends: all of them have by "
            f"{format_instant(made.urls_end_at_ns)}, and a box's clock_leeway_s later if it has one; "
            "'oca-steering keys rotate --revoke' ends those of all titles within two reports; who plays must ask anew"
        )
    print_line("a box holds it until a fill needs the room; 'oca store remove' there removes it now")
    print_line("BOXES counts those that have reported since the service started")
    print_line("the origin serves it until it is removed there")
    for row in made.titles:
        print_line(f"as it was, it is published by: {_published_by(row.was, config)}")
