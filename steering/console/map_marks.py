"""Where sites are shown on a map: those too near each other to be told apart share a mark. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from steering.console.messages import Mark, SiteRow, SiteState

COLUMNS = 36
"""Cells across the part of the world that has sites: a map has some hundreds of marks at most."""
SPAN_DEGREES_MIN = 12.0


def marks(sites: Sequence[SiteRow]) -> tuple[list[Mark], int]:
    """The marks, from west to east, and how many sites have no place."""
    placed = [site for site in sites if site.latitude or site.longitude]
    if not placed:
        return [], len(sites)
    south, west = min(site.latitude for site in placed), min(site.longitude for site in placed)
    north, east = max(site.latitude for site in placed), max(site.longitude for site in placed)
    cell = max(east - west, 2 * (north - south), SPAN_DEGREES_MIN) / COLUMNS
    cells: dict[tuple[int, int], list[SiteRow]] = {}
    for site in placed:
        column = min(int((site.longitude - west) / cell), COLUMNS - 1)
        row = min(int((site.latitude - south) / cell), COLUMNS // 2 - 1)
        cells.setdefault((column, row), []).append(site)
    return [_mark(cells[place]) for place in sorted(cells)], len(sites) - len(placed)


def _mark(sites: Sequence[SiteRow]) -> Mark:
    latitudes, longitudes = [site.latitude for site in sites], [site.longitude for site in sites]
    return Mark(
        latitude=round(sum(latitudes) / len(sites), 3),
        longitude=round(sum(longitudes) / len(sites), 3),
        bounds=(min(latitudes), min(longitudes), max(latitudes), max(longitudes)),
        state=_state({site.state for site in sites}),
        sites=len(sites),
        boxes=sum(site.boxes for site in sites),
        boxes_serving=sum(site.by_state.get("serving", 0) for site in sites),
        name=sites[0].name if len(sites) == 1 else "",
    )


def _state(states: set[SiteState]) -> SiteState:
    """Of all together; a site without boxes says nothing."""
    said = states - {"empty"}
    if len(said) == 1:
        return said.pop()
    return "partly" if said else "empty"
