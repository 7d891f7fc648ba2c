"""Where an appliance should fetch an asset: who has it, nearest first. Pure; viewers' sources are ranking's."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Literal

from oca.common.digest import rendezvous_score
from oca.common.messages import FillSource, Load
from steering.geography import distance_km
from steering.settings import Site

FILL_SOURCES_MAX = 16
FILL_BUSY_RATIO = 0.85
"""A holder whose processors or links are busier goes behind equally near ones."""


def has_room(load: Load) -> bool:
    """Whether an appliance may be asked to serve other appliances beside its viewers."""
    link_busy = load.link_bytes_per_s > 0 and load.sent_bytes_per_s > FILL_BUSY_RATIO * load.link_bytes_per_s
    return load.cpu_ratio <= FILL_BUSY_RATIO and not link_busy


def fill_sources(
    sites: Mapping[str, Site],
    site_of: Mapping[str, str],
    appliance: str,
    holders: Iterable[str],
    *,
    url_of: Callable[[str], str],
    fit: Callable[[str], bool],
    asset: str,
    origin_url: str,
) -> list[FillSource]:
    """Where ``appliance`` should fetch an asset: its site's peers, then other sites, then the origin.

    Of other sites those that serve anyone and those of the same ISP come first, by distance: the way out of other
    embedded ones is another network's. Among equally near holders those that are well and have room come first.

    Args:
        sites: Site id → site.
        site_of: Appliance → site id.
        appliance: Who asks.
        holders: Those that hold the asset's present revision.
        url_of: Base URL of a holder, or an empty string if it is not up; asked of the nearest ones only.
        fit: Whether a holder is well and has room to serve others.
        asset: Spreads fetches over equally near holders, by rendezvous.
        origin_url: The last source; empty: none.
    """
    home = sites[site_of[appliance]]
    places: dict[str, list[str]] = {}
    for name in holders:
        if name != appliance:
            places.setdefault(site_of[name], []).append(name)
    rings: dict[tuple[bool, bool, float], list[str]] = {}
    for place, names in places.items():
        site = sites[place]
        away = distance_km(home.latitude, home.longitude, site.latitude, site.longitude)
        foreign = site.class_ == "embedded" and not (site.isp and site.isp == home.isp)
        rings.setdefault((site is not home, site is not home and foreign, away), []).extend(names)
    sources: list[FillSource] = []
    for ring in sorted(rings):
        if len(sources) >= FILL_SOURCES_MAX:
            break
        kind: Literal["peer", "tier"] = "tier" if ring[0] else "peer"
        reachable = [(name, url) for name in rings[ring] if (url := url_of(name))]
        reachable.sort(key=lambda found: (not fit(found[0]), -rendezvous_score(f"{asset}\0{appliance}", found[0])))
        sources += [FillSource(kind=kind, url=url, appliance=name) for name, url in reachable]
    return sources[:FILL_SOURCES_MAX] + ([FillSource(kind="origin", url=origin_url)] if origin_url else [])
