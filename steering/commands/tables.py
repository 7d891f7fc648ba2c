"""Tables for people: aligned columns, whole cells, no frame, so that they read well in a pipe too."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from oca.common.command import print_line


def print_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print ``rows`` under ``header``."""
    lines = [header, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    for line in lines:
        print_line("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
