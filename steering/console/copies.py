"""On how many boxes titles lie, and pages of the catalogue. Pure; who holds what is told by ``steering.holders``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from steering.api.messages import AssetView
from steering.console.messages import CatalogueRow, CopiesView
from steering.fleet.holders import Holders, Holding
from steering.titles.catalogue import Title

SITES_NAMED_MAX = 20


def catalogue_row(title: Title, copies: Mapping[Holding, int]) -> CatalogueRow:
    """A title with its copies counted; ``copies``: holdings of it, each with how many boxes have just that."""
    revisions = {asset.asset: asset.revision for asset in title.assets}
    counted = {"whole": 0, "partly": 0, "outdated": 0}
    for holding, boxes in copies.items():
        held = sum(revisions.get(asset) == revision for asset, revision in holding.assets.items())
        counted["whole" if held == len(revisions) else "partly" if held else "outdated"] += boxes
    return CatalogueRow(
        title=title.title,
        name=title.name,
        duration_s=title.duration_s,
        bytes=sum(asset.bytes for asset in title.assets),
        assets=len(title.assets),
        regions=title.regions,
        released_at_ns=title.released_at_ns,
        published_at_ns=title.published_at_ns,
        **counted,
    )


def copies_view(title: Title, holders: Holders) -> CopiesView:
    """One title with the copies of each asset."""
    copies = holders.copies(title.title)
    held: dict[str, int] = {}
    for holding, boxes in copies.items():
        for asset, revision in holding.assets.items():
            held[f"{asset} {revision}"] = held.get(f"{asset} {revision}", 0) + boxes
    sites = holders.sites_of(title.title)
    assets = [
        AssetView(
            asset=asset.asset,
            kind=asset.kind,
            bytes=asset.bytes,
            bitrate_bits_per_s=asset.bitrate_bits_per_s,
            holders=[],
            holders_count=held.get(f"{asset.asset} {asset.revision}", 0),
        )
        for asset in title.assets
    ]
    return CopiesView(catalogue_row(title, copies), assets, len(sites), sites[:SITES_NAMED_MAX])


def titles_matching(names: Iterable[str], search: str) -> list[str]:
    """Ids of titles that hold the text."""
    wanted = search.casefold().strip()
    return [name for name in names if wanted in name] if wanted else list(names)
