from __future__ import annotations

import msgspec

from oca.admin.status import Status
from oca.admin.top import HotAsset, HotPrefix, Top, hot_page, hot_prefixes, top_lines
from oca.common.hot import Hot
from oca.common.messages import Health
from oca.network.prefix_rates import PrefixRate


def test_top_shows_box_assets_and_prefixes(status: Status) -> None:
    top = Top(
        status=status,
        assets=[HotAsset(asset="harbour/v", requests_per_s=31.25, bytes_per_s=1e8)],
        prefixes=[HotPrefix(prefix="192.0.2.0/24", connections=12, bytes_per_s=1.2e8)],
    )
    assert list(top_lines(top)) == [
        "fra1-a at fra1  serving, health ok",
        "sent    1.0 Gb/s of 10.0 Gb/s ██░░░░░░░░░░░░░░░░░░░░░░ 10%   CPU 25%   12 connections",
        "",
        "      rate   requests/s  hottest assets of the last minute",
        "800.0 Mb/s         31.2  harbour/v",
        "",
        "      rate  connections  hottest client prefixes",
        "960.0 Mb/s           12  192.0.2.0/24",
    ]


def test_top_says_what_is_not_known(status: Status) -> None:
    ill = msgspec.structs.replace(
        status,
        health=Health(verdict="degraded", reasons=["/d1: gone"]),
        load=msgspec.structs.replace(status.load, link_bytes_per_s=0),
    )
    lines = list(top_lines(Top(status=ill, assets=[], prefixes=[], why="not known: netlink: refused")))
    assert lines[1:3] == ["sent    1.0 Gb/s   CPU 25%   12 connections", "      ! /d1: gone"]
    assert "nobody watches" in lines[5]
    assert lines[-1].strip() == "not known: netlink: refused"
    assert list(top_lines(Top(status=ill, assets=[], prefixes=[])))[-1].strip() == "nobody is connected"


def test_top_takes_over_what_was_counted() -> None:
    assert hot_page([Hot("a/v", 1.0, 2.0)]).assets == [HotAsset(asset="a/v", requests_per_s=1.0, bytes_per_s=2.0)]
    assert hot_prefixes([PrefixRate("192.0.2.0/24", 3, 4.0)])[0].connections == 3
