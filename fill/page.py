"""The nights' report as a page of its own: a plot and a table, no script, nothing fetched from elsewhere. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from fill.night import Night
from oca.common.messages import SourceKind
from oca.common.units import format_bytes, format_duration

BAR_WIDTH = 22
PLOT_HEIGHT = 160
KINDS: tuple[SourceKind, ...] = ("peer", "tier", "origin")
_COLOURS: dict[SourceKind, str] = {"peer": "#2a9d8f", "tier": "#e9c46a", "origin": "#e76f51"}
_STYLE = """
:root{color-scheme:light dark} body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:64rem;padding:0 1rem}
table{border-collapse:collapse;width:100%} th,td{text-align:right;padding:.25rem .6rem;border-bottom:1px solid #8884}
th:first-child,td:first-child{text-align:left} svg{max-width:100%;height:auto} text{font-size:11px;fill:currentColor}
"""


def render_page(appliance: str, nights: Sequence[Night]) -> str:
    """One HTML page; the newest night comes last in the plot and first in the table."""
    rows = "\n".join(_row(night) for night in reversed(nights))
    refused = "".join(
        f"<li>{escape(entry.asset)}, {format_bytes(entry.bytes)}: {escape(entry.reason)}</li>"
        for night in nights[-1:]
        for entry in (*night.refused, *night.left_out)
    )
    title = f"Fills of {escape(appliance)}"
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><style>{_STYLE}</style></head><body>
<h1>{title}</h1>
{_plot(nights)}
<table><thead><tr><th>Night</th><th>Assets in</th><th>Bytes in</th><th>Peers</th><th>Other sites</th><th>Origin</th>
<th>Evicted</th><th>Time</th><th>Refused</th><th>Left out</th><th>Efficiency</th></tr></thead>
<tbody>
{rows}
</tbody></table>
<h2>Last night: refused and left out</h2>
<ul>{refused or "<li>nothing</li>"}</ul>
</body></html>
"""


def efficiency_text(night: Night) -> str:
    """Bytes served ÷ bytes filled; ``so far`` until the day after is over."""
    if night.efficiency is None:
        return "not known yet"
    return f"{night.efficiency:.2f}{'' if night.efficiency_is_final else ' so far'}"


def _plot(nights: Sequence[Night]) -> str:
    """Bytes that came, by source, a bar a night."""
    most = max((night.fetched_bytes for night in nights), default=0)
    parts = []
    for number, night in enumerate(nights):
        left, top = 60 + number * (BAR_WIDTH + 6), float(PLOT_HEIGHT + 10)
        for kind in KINDS:
            height = night.bytes_by_source.get(kind, 0) / most * PLOT_HEIGHT if most else 0.0
            top -= height
            parts.append(
                f'<rect x="{left}" y="{top:.1f}" width="{BAR_WIDTH}" height="{height:.1f}" fill="{_COLOURS[kind]}">'
                f"<title>{escape(night.night)}: {format_bytes(night.bytes_by_source.get(kind, 0))} from {kind}</title>"
                "</rect>"
            )
        parts.append(f'<text x="{left}" y="{PLOT_HEIGHT + 26}">{escape(night.night[8:])}</text>')
    legend = "".join(
        f'<rect x="{60 + 90 * n}" y="{PLOT_HEIGHT + 38}" width="10" height="10" fill="{_COLOURS[kind]}"/>'
        f'<text x="{74 + 90 * n}" y="{PLOT_HEIGHT + 47}">{kind}</text>'
        for n, kind in enumerate(KINDS)
    )
    width = max(340, 70 + len(nights) * (BAR_WIDTH + 6))
    return (
        f'<svg viewBox="0 0 {width} {PLOT_HEIGHT + 56}" width="{width}" role="img" '
        f'aria-label="Bytes fetched a night, by source"><text x="0" y="20">{format_bytes(most)}</text>'
        f'<text x="0" y="{PLOT_HEIGHT + 12}">0</text>{"".join(parts)}{legend}</svg>'
    )


def _row(night: Night) -> str:
    cells = (
        night.night,
        str(night.assets_in),
        format_bytes(night.bytes_in),
        *(format_bytes(night.bytes_by_source.get(kind, 0)) for kind in KINDS),
        f"{night.assets_out}, {format_bytes(night.bytes_out)}",
        format_duration(night.filling_s),
        str(night.refused_total),
        str(night.left_out_total),
        efficiency_text(night),
    )
    return "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>"
