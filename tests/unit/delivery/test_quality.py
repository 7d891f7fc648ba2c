from oca.common.quality import Quality
from oca.delivery.cmcd import Told
from oca.delivery.quality import ROWS_MAX, SLICE_S, WINDOW_S, QualityTable, QualityWindow


def test_quality_table_sums_what_players_tell() -> None:
    table = QualityTable()
    table.add("a", "p", Told(bitrate=3000, throughput=9000, buffer_ms=4000))
    table.add("a", "p", Told(bitrate=1000, starved=True))
    table.add("a", "q", Told(starved=True))
    assert table.take() == [Quality("a", "p", 2, 1, 9000, 1, 4000, 2, 4000, 1), Quality("a", "q", 1, 1)]
    assert table.take() == []


def test_quality_table_stays_bounded_and_totals_right() -> None:
    table = QualityTable()
    for number in range(ROWS_MAX + 500):
        table.add(f"asset{number}", "p", Told(bitrate=1))
    rows = table.take()
    assert len(rows) == ROWS_MAX
    assert sum(row.requests for row in rows) == ROWS_MAX + 500
    assert next(row for row in rows if not row.asset).requests == 501


def test_quality_window_merges_workers_and_slices() -> None:
    window = QualityWindow()
    window.add([Quality("a", "p", 1, 1), Quality("b", "p", 2)], 0)
    window.add([Quality("a", "p", 4)], SLICE_S)
    assert sorted((row.asset, row.requests, row.starved) for row in window.rows(SLICE_S)) == [("a", 5, 1), ("b", 2, 0)]


def test_quality_window_forgets_slice_by_slice() -> None:
    window = QualityWindow()
    window.add([Quality("a", "p", 1)], 0)
    window.add([Quality("b", "p", 1)], SLICE_S - 1)
    window.add([Quality("c", "p", 1)], SLICE_S)
    assert {row.asset for row in window.rows(WINDOW_S - 1)} == {"a", "b", "c"}
    assert {row.asset for row in window.rows(WINDOW_S)} == {"c"}
    window.add([], WINDOW_S + SLICE_S)
    assert window.rows(WINDOW_S + SLICE_S) == []


def test_quality_window_stays_bounded_in_each_slice() -> None:
    window = QualityWindow()
    window.add([Quality(f"asset{number}", "p", 1) for number in range(ROWS_MAX + 7)], 0)
    window.add([Quality("", "", 3)], 1)
    rows = window.rows(1)
    assert (len(rows), sum(row.requests for row in rows)) == (ROWS_MAX, ROWS_MAX + 10)
