from oca.admin.quality import QualityRow, quality_lines, quality_page
from oca.common.quality import Quality

SUMS = [
    Quality("film/v1", "192.0.2.0/24", 10, 0, 50_000, 5, 30_000, 10, 40_000, 4),
    Quality("film/v2", "192.0.2.0/24", 10, 3),
    Quality("film/v1", "198.51.100.0/24", 10, 1),
    Quality("", "", 1),
]


def test_quality_page_shows_means_of_those_that_told() -> None:
    page = quality_page(SUMS, is_on=True, window_s=900, by="both", limit=10)
    assert page.all == QualityRow(
        asset="",
        prefix="",
        requests=31,
        starved=4,
        throughput_kbits_per_s=10_000,
        bitrate_kbits_per_s=3000,
        buffer_ms=10_000,
    )
    assert [(row.prefix, row.asset, row.starved) for row in page.rows] == [
        ("192.0.2.0/24", "film/v2", 3),
        ("198.51.100.0/24", "film/v1", 1),
        ("192.0.2.0/24", "film/v1", 0),
        ("", "", 0),
    ]


def test_quality_page_groups_by_prefix_or_asset_and_stays_short() -> None:
    by_prefix = quality_page(SUMS, is_on=True, window_s=900, by="prefix", limit=1)
    assert [(row.prefix, row.asset, row.starved, row.requests) for row in by_prefix.rows] == [
        ("192.0.2.0/24", "", 3, 20)
    ]
    assert by_prefix.left_out == 2
    by_asset = quality_page(SUMS, is_on=True, window_s=900, by="asset", limit=9)
    assert [(row.asset, row.starved) for row in by_asset.rows] == [("film/v2", 3), ("film/v1", 1), ("", 0)]
    assert by_asset.left_out == 0


def test_quality_lines_tell_the_worst_first() -> None:
    page = quality_page(SUMS, is_on=True, window_s=900, by="prefix", limit=2)
    head, *rows = quality_lines(page)
    assert head.startswith("viewers of the last 15 min 0 s: 4 starved of 31 requests (12.9%), bitrate 3.0 Mbit/s, ")
    assert rows == [
        "  192.0.2.0/24: 3 starved of 20 requests (15.0%), bitrate 3.0 Mbit/s, throughput 10.0 Mbit/s, buffer 10.0 s",
        "  198.51.100.0/24: 1 starved of 10 requests (10.0%), bitrate 0.0 Mbit/s, throughput 0.0 Mbit/s, buffer 0.0 s",
        "  and 1 more; --limit shows them",
    ]


def test_quality_lines_name_others_and_say_what_is_off() -> None:
    assert list(quality_lines(quality_page([Quality("", "", 1)], is_on=True, window_s=60, by="both", limit=1)))[1] == (
        "  (others): 0 starved of 1 requests (0.0%), bitrate 0.0 Mbit/s, throughput 0.0 Mbit/s, buffer 0.0 s"
    )
    empty = quality_page([], is_on=True, window_s=60, by="asset", limit=1)
    assert "0 starved of 0 requests, bitrate" in next(quality_lines(empty))
    off = quality_page([], is_on=False, window_s=60, by="asset", limit=1)
    assert list(quality_lines(off)) == ["off: set [delivery.cmcd] quality = true, and let players send CMCD"]
