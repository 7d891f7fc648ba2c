from __future__ import annotations

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from demo.demand import VIEWERS_A_DAY, as_csv, made_up_day, tastes, viewers_ratio

TITLES = [f"film-{letter}" for letter in "abcdefgh"]
ASSETS = {
    f"{title}/{label}": size
    for title in TITLES
    for label, size in (("video-1080p", 37_000_000), ("video-240p", 1_800_000), ("audio", 700_000))
}


def test_day_follows_zipf_at_every_site() -> None:
    day = made_up_day(TITLES, ASSETS)
    for site, order in tastes(TITLES).items():
        watched = {item.asset: item.bytes for item in day if item.site == site}
        line = [watched[f"{title}/video-1080p"] for title in order]
        assert line == sorted(line, reverse=True)
        assert line[0] > 1.8 * line[1]


def test_day_wants_leader_whole_before_any_other_picture() -> None:
    day = made_up_day(TITLES, ASSETS)
    pictures = {item.asset: item.bytes / ASSETS[item.asset] for item in day if "/video" in item.asset}
    others = [wanted for asset, wanted in pictures.items() if not asset.startswith(f"{TITLES[0]}/")]
    assert min(pictures[f"{TITLES[0]}/video-{height}"] for height in ("240p", "1080p")) > max(others)


def test_tastes_share_leaders_alone() -> None:
    metro, region = tastes(TITLES).values()
    assert metro[:3] == region[:3] == TITLES[:3]
    assert metro[3:] == region[3:][::-1]


def test_day_counts_every_viewer_once() -> None:
    day = made_up_day(TITLES, {f"{title}/audio": 1000 for title in TITLES})
    for site, viewers in VIEWERS_A_DAY.items():
        total = sum(item.bytes for item in day if item.site == site)
        assert abs(total - viewers * 1000) <= len(TITLES)


@given(st.lists(st.from_regex(r"[a-z]{1,8}", fullmatch=True), min_size=1, max_size=30, unique=True))
def test_day_has_one_row_per_site_and_asset(titles: list[str]) -> None:
    day = made_up_day(titles, {f"{title}/video-480p": 1_000_000 for title in titles})
    assert len({(item.site, item.asset) for item in day}) == len(day) == 2 * len(titles)
    assert all(item.requests >= 1 and item.bytes > 0 for item in day)


def test_viewers_ratio_knows_renditions() -> None:
    assert viewers_ratio("video-1080p") > viewers_ratio("video-480p") > viewers_ratio("video-240p")
    assert viewers_ratio("audio") == viewers_ratio("manifests") == 1.0


def test_csv_has_steering_columns() -> None:
    lines = as_csv(made_up_day(["a"], {"a/audio": 10}), date(2026, 1, 2)).splitlines()
    assert lines[0] == "site,asset,day,requests,bytes"
    assert lines[1] == "metro,a/audio,2026-01-02,18000,12000"
