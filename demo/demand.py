"""A made-up day of viewers, so that the first plan has something to go by. Nobody watched this; the demo says so.

Pure. Titles are popular after Zipf's law: everywhere the same ones lead, further down each site has a taste of its
own. Which rendition is watched follows from what access lines allow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

ZIPF_EXPONENT = 0.9
SHARED_TASTE = 3
VIEWERS_A_DAY = {"metro": 1200, "region": 800}
RENDITION_SHARE = {"1080p": 0.45, "480p": 0.30, "240p": 0.25}
"""So even that the leader's least watched rendition is wanted more than any picture of the title after it
(0.25 > 0.45 ÷ 2^0.9): the film that the demo is played with is planned whole before the plan begins to choose."""


@dataclass(frozen=True, slots=True)
class WatchedAsset:
    """What one site's viewers asked of one asset in the day."""

    site: str
    asset: str
    requests: int
    bytes: int


def made_up_day(titles: Sequence[str], assets: Mapping[str, int]) -> list[WatchedAsset]:
    """Demand of every site for every asset.

    Args:
        titles: Best first.
        assets: Asset → its bytes, for those of all titles.
    """
    watched = []
    for site, order in tastes(titles).items():
        weights = {title: 1 / (rank + 1) ** ZIPF_EXPONENT for rank, title in enumerate(order)}
        per_viewer = VIEWERS_A_DAY[site] / sum(weights.values())
        for asset, size in assets.items():
            title, _, label = asset.partition("/")
            viewers = per_viewer * weights[title] * viewers_ratio(label)
            watched.append(WatchedAsset(site, asset, max(1, round(viewers * 15)), round(viewers * size)))
    return watched


def tastes(titles: Sequence[str]) -> dict[str, list[str]]:
    """Each site's order of titles: the leaders are shared, the second site likes the rest the other way round."""
    leaders, rest = list(titles[:SHARED_TASTE]), list(titles[SHARED_TASTE:])
    first, second = VIEWERS_A_DAY
    return {first: leaders + rest, second: leaders + rest[::-1]}


def viewers_ratio(label: str) -> float:
    """The share of a title's viewers who fetch one of its assets: a rendition's by its height, everyone the rest."""
    return next((ratio for height, ratio in RENDITION_SHARE.items() if label.endswith(height)), 1.0)


def as_csv(watched: Sequence[WatchedAsset], day: date) -> str:
    """The day as ``oca-steering demand import`` reads it."""
    rows = [f"{item.site},{item.asset},{day.isoformat()},{item.requests},{item.bytes}" for item in watched]
    return "\n".join(["site,asset,day,requests,bytes", *rows]) + "\n"
