"""Who may be served a title, from where, and since when. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Protocol

from steering.settings import Site


class Granted(Protocol):
    """What is asked of a title: ``regions`` empty: everywhere."""

    @property
    def regions(self) -> Sequence[str]:
        """Where there are rights."""

    @property
    def released_at_ns(self) -> int:
        """From when."""


def bar(title: Granted, region: str, now_ns: int) -> str:
    """Why nobody may serve ``title`` to a client in ``region`` now, or an empty string."""
    if title.released_at_ns > now_ns:
        released = datetime.fromtimestamp(title.released_at_ns / 1e9, tz=UTC)
        return f"not released before {released:%Y-%m-%dT%H:%M:%SZ}"
    if title.regions and region not in title.regions:
        return f"no rights in {region or 'a client region that is not known'}; granted: {', '.join(title.regions)}"
    return ""


def barred_there(title: Granted, site: Site) -> str:
    """Why nobody may serve ``title`` from ``site``, or an empty string."""
    if title.regions and site.region not in title.regions:
        return f"its site {site.id} is in {site.region or 'no known region'}: no rights there"
    return ""
