"""A made-up day of viewers, so that the first plan has something to go by. Nobody watched this; it says so.

Pure. Titles are popular after Zipf's law, in the order of the library; viewers come as they do over a day, few at
four in the morning and most at nine in the evening. The rendition follows what access lines allow.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

HOURLY_SHARE = (22, 14, 8, 5, 3, 3, 6, 12, 18, 22, 24, 26, 32, 34, 33, 34, 38, 46, 58, 76, 96, 100, 78, 44)
ZIPF_EXPONENT = 0.9
VIEWERS_A_DAY = {"metro": 1200, "region": 800}
RENDITION_SHARE = {"240": 0.08, "480": 0.27, "1080": 0.65}


@dataclass(frozen=True, slots=True)
class Share:
    """What of a title one asset is: its size, and the share of viewers who fetch it."""

    asset: str
    title: str
    bytes: int
    viewers_ratio: float


@dataclass(frozen=True, slots=True)
class Hour:
    """Bytes that one site's viewers asked of one asset in one hour."""

    site: str
    asset: str
    started_at_s: int
    requests: int
    bytes: int


def made_up_day(titles: Sequence[str], assets: Sequence[Share], *, day_started_at_s: int) -> list[Hour]:
    """Demand of every site for every asset in every hour of one day.

    Args:
        titles: Best first.
        assets: Those of all titles.
        day_started_at_s: Midnight, seconds since 1970.
    """
    weights = {title: 1 / (rank + 1) ** ZIPF_EXPONENT for rank, title in enumerate(titles)}
    whole = sum(weights.values())
    hours = []
    for site, viewers_a_day in VIEWERS_A_DAY.items():
        for asset in assets:
            for hour, share in enumerate(HOURLY_SHARE):
                viewers = viewers_a_day * weights[asset.title] / whole * share / sum(HOURLY_SHARE) * asset.viewers_ratio
                count = round(asset.bytes * viewers)
                if count:
                    hours.append(
                        Hour(site, asset.asset, day_started_at_s + hour * 3600, max(1, round(viewers * 15)), count)
                    )
    return hours


def viewers_ratio(asset: str) -> float:
    """The share of a title's viewers who fetch ``asset``: a rendition's by its height, all of them for the rest."""
    for height, ratio in RENDITION_SHARE.items():
        if f"-{height}" in asset:
            return ratio
    return 1.0


def as_csv(hours: Sequence[Hour]) -> str:
    """The day as a table."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["site", "asset", "started_at_s", "requests", "bytes"])
    writer.writerows([hour.site, hour.asset, hour.started_at_s, hour.requests, hour.bytes] for hour in hours)
    return text.getvalue()
