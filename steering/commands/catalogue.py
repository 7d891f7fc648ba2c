"""``oca-steering publish`` and ``titles``."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from msgspec import Struct

from oca.common.clock import now_ns
from oca.common.command import ConfigOption, JsonOption, SetOption, print_error, print_json, print_line
from oca.common.units import format_bytes, format_duration, format_rate
from steering.commands.meter import Meter
from steering.commands.opened import opened
from steering.commands.tables import print_table
from steering.settings import load_settings
from steering.state.engine import open_state
from steering.titles.catalogue import Title, read_titles
from steering.titles.publish import Publication
from steering.titles.publish import publish as publish_folder

RELEASE_S_MAX = 7_258_118_400.0
"""The first second of 2200: nanoseconds until then are a number that all who read them take."""


class AssetRow(Struct, frozen=True):
    """An asset as these commands print it."""

    asset: str
    kind: str
    revision: str
    bytes: int
    objects: int
    bitrate_bits_per_s: int


class TitleRow(Struct, frozen=True):
    """A title as these commands print it."""

    title: str
    name: str
    synopsis: str
    mount: str
    origin_url: str
    regions: list[str]
    released_at: str
    duration_s: float
    bytes: int
    assets: list[AssetRow]


def publish(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder with HLS and DASH over CMAF segments.")],
    *,
    title: Annotated[str, typer.Option("--title", help="Id: lower-case letters, digits and hyphens.")],
    name: Annotated[str, typer.Option("--name", help="What viewers call it; without it, the id.")] = "",
    synopsis: Annotated[str, typer.Option("--synopsis", help="What it is about, in a line, for viewers.")] = "",
    mount: Annotated[str, typer.Option("--mount", help="URL path of the folder; without it, /ID.")] = "",
    origin_url: Annotated[
        str, typer.Option("--origin-url", help="Origin of this title; without it, [origin] url.")
    ] = "",
    region: Annotated[
        list[str] | None, typer.Option("--region", help="Country with rights, ISO 3166; repeatable; none: everywhere.")
    ] = None,
    release_at: Annotated[
        str, typer.Option("--release-at", help="RFC 3339 instant before which nobody may watch; without it, now.")
    ] = "",
    config: ConfigOption = None,
    sets: SetOption = None,
    json: JsonOption = False,
) -> None:
    """Put a packaged title into the catalogue, in place of its last version; a running service takes it up."""
    settings = load_settings(config, sets or ())
    now = now_ns()
    publication = Publication(
        title=title,
        name=name or title,
        mount=mount.rstrip("/") or f"/{title}",
        origin_url=origin_url,
        regions=tuple(region or ()),
        released_at_ns=_instant_ns(release_at) if release_at else now,
        published_at_ns=now,
        synopsis=synopsis,
    )
    state = open_state(settings.state)
    try:
        with Meter(title, doing="digesting", done="digested") as meter:
            published, package = publish_folder(folder, publication, state, progress=meter.show)
    finally:
        state.close()
    if package.skipped:
        print_error(f"left out, being hidden: {', '.join(package.skipped[:10])}")
    if not (published.origin_url or settings.origin.url):
        print_error("no origin: set [origin] url or give --origin-url, or nobody can fetch what appliances lack")
    if json:
        print_json(row_of(published))
        return
    print_table(
        ("ASSET", "SIZE", "OBJECTS", "BITRATE"),
        (
            (
                asset.asset,
                format_bytes(asset.bytes),
                str(asset.objects),
                format_rate(asset.bitrate_bits_per_s / 8) if asset.bitrate_bits_per_s else "",
            )
            for asset in published.assets
        ),
    )


def titles(config: ConfigOption = None, sets: SetOption = None, json: JsonOption = False) -> None:
    """List what is published."""
    with opened(config, sets) as (settings, state):
        rows = [row_of(title) for title in read_titles(state)]
    if json:
        print_json({"titles": rows})
    elif not rows:
        where = Path(settings.state.path).absolute()
        print_line(f"nothing is published in the state {where}; oca-steering publish DIR --title ID does it")
    else:
        print_table(
            ("TITLE", "NAME", "LENGTH", "SIZE", "ASSETS", "REGIONS", "RELEASED"),
            (
                (
                    row.title,
                    row.name,
                    format_duration(row.duration_s),
                    format_bytes(row.bytes),
                    str(len(row.assets)),
                    ",".join(row.regions) or "all",
                    row.released_at,
                )
                for row in rows
            ),
        )


def row_of(title: Title) -> TitleRow:
    """A title as commands print it."""
    return TitleRow(
        title=title.title,
        name=title.name,
        synopsis=title.synopsis,
        mount=title.mount,
        origin_url=title.origin_url,
        regions=title.regions,
        released_at=f"{datetime.fromtimestamp(title.released_at_ns / 1e9, tz=UTC):%Y-%m-%dT%H:%M:%SZ}",
        duration_s=round(title.duration_s, 3),
        bytes=sum(asset.bytes for asset in title.assets),
        assets=[
            AssetRow(
                asset=asset.asset,
                kind=asset.kind,
                revision=asset.revision,
                bytes=asset.bytes,
                objects=asset.objects,
                bitrate_bits_per_s=asset.bitrate_bits_per_s,
            )
            for asset in title.assets
        ],
    )


def _instant_ns(text: str) -> int:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        instant = None
    if instant is None or instant.tzinfo is None or not 0 <= instant.timestamp() <= RELEASE_S_MAX:
        raise typer.BadParameter(
            f"{text!r} is not an instant with its offset, up to 2200, like 2026-12-01T20:00:00Z",
            param_hint="--release-at",
        )
    return int(instant.timestamp()) * 10**9
