from __future__ import annotations

from collections.abc import Callable
from typing import Any

from oca.common.messages import Health
from oca.report.history import CHANGES_MAX, INTERVAL_NS, SAMPLES_MAX, SPAN_NS, History
from oca.report.snapshot import Snapshot

Make = Callable[..., Snapshot]
COUNTERS = {
    "delivery_sent_bytes": 1000,
    "delivery_responses:200": 10,
    "delivery_responses:404": 2,
    "delivery_misses:content": 2,
    "delivery_misses:health": 0,
    "delivery_sends_cut:client": 1,
    "delivery_first_byte_seconds:0.001": 90,
    "delivery_first_byte_seconds:0.5": 0,
    "delivery_first_byte_seconds:+Inf": 0,
    "delivery_first_byte_seconds:sum": 9,
}


def after(make: Make, history: History, at_ns: int, **rises: Any) -> None:
    counters = {key: count + rises.get(key, 0) for key, count in COUNTERS.items()}
    history.observe(make(at_ns=at_ns, counters=counters), "serving")


def test_history_goes_on_when_the_clock_is_set_back(make_snapshot: Make) -> None:
    history = History()
    after(make_snapshot, history, 10**18)
    for step in range(3):
        after(make_snapshot, history, 10**9 + step * INTERVAL_NS)
    assert history.page().at_s == [(10**9 + step * INTERVAL_NS) // 10**9 for step in (1, 2)]


def test_history_keeps_rates_over_each_interval(make_snapshot: Make) -> None:
    history = History()
    after(make_snapshot, history, 0)
    after(make_snapshot, history, INTERVAL_NS - 1)
    assert history.page().at_s == []
    rises = {
        "delivery_sent_bytes": 120_000,
        "delivery_responses:200": 1200,
        "delivery_misses:content": 12,
        "delivery_misses:health": 6,
        "delivery_sends_cut:client": 60,
        "delivery_first_byte_seconds:0.001": 94,
        "delivery_first_byte_seconds:0.5": 6,
    }
    after(make_snapshot, history, INTERVAL_NS, **rises)
    page = history.page()
    assert (page.at_s, page.sent_bytes_per_s, page.responses_per_s) == ([120], [1000], [10.0])
    assert (page.content_misses_per_s, page.health_misses_per_s, page.cut_per_s) == ([0.1], [0.05], [0.5])
    assert (page.first_byte_ms, page.connections, page.cpu_ratio, page.used_bytes) == ([500.0], [3], [0.5], [100])


def test_history_tells_first_byte_apart_from_none_and_from_beyond(make_snapshot: Make) -> None:
    history = History()
    after(make_snapshot, history, 0)
    after(make_snapshot, history, INTERVAL_NS)
    after(make_snapshot, history, 2 * INTERVAL_NS, **{"delivery_first_byte_seconds:+Inf": 5})
    assert history.page().first_byte_ms == [-1.0, -2.0]


def test_history_never_shows_less_than_nothing(make_snapshot: Make) -> None:
    """After an upgrade a counter may stand lower for a moment."""
    history = History()
    after(make_snapshot, history, 0, delivery_sent_bytes=500)
    after(make_snapshot, history, INTERVAL_NS)
    assert history.page().sent_bytes_per_s == [0]


def test_history_notes_each_change_of_health_and_service(make_snapshot: Make) -> None:
    history = History()
    for at_ns, reasons in enumerate([[], [], ["/d0 is gone"], ["/d0 is gone"]]):
        health = Health(verdict="degraded" if reasons else "ok", reasons=reasons)
        history.observe(make_snapshot(at_ns=at_ns, health=health), "serving")
    history.observe(make_snapshot(at_ns=9, health=Health(verdict="ok", reasons=[])), "drained")
    changes = [(one.at_ns, one.verdict, one.serving, one.reasons) for one in history.page().changes]
    assert changes == [
        (0, "ok", "serving", []),
        (2, "degraded", "serving", ["/d0 is gone"]),
        (9, "ok", "drained", []),
    ]


def test_history_is_bounded(make_snapshot: Make) -> None:
    history = History()
    for number in range(SAMPLES_MAX + CHANGES_MAX):
        health = Health(verdict="degraded", reasons=["abc"[number % 3]])
        history.observe(make_snapshot(at_ns=number * INTERVAL_NS, health=health), "serving")
    page = history.page()
    assert (len(page.at_s), len(page.changes)) == (SAMPLES_MAX, CHANGES_MAX)
    assert page.at_s[-1] == (SAMPLES_MAX + CHANGES_MAX - 1) * 120


def test_history_goes_on_from_an_earlier_run(make_snapshot: Make) -> None:
    first = History()
    after(make_snapshot, first, 0)
    after(make_snapshot, first, INTERVAL_NS, delivery_sent_bytes=120_000)
    second = History(first.page(), now_ns=3 * INTERVAL_NS)
    assert second.page() == first.page()
    after(make_snapshot, second, 3 * INTERVAL_NS)
    after(make_snapshot, second, 4 * INTERVAL_NS)
    assert second.page().at_s == [120, 480]
    assert len(second.page().changes) == 1


def test_history_takes_up_only_the_last_48_hours(make_snapshot: Make) -> None:
    first = History()
    for at_ns in (0, INTERVAL_NS, 2 * INTERVAL_NS):
        after(make_snapshot, first, at_ns)
    late = History(first.page(), now_ns=SPAN_NS + INTERVAL_NS)
    assert (late.page().at_s, late.page().changes) == ([240], [])
    ahead = History(first.page(), now_ns=INTERVAL_NS)
    assert ahead.page().at_s == [120]


def test_history_tells_when_there_is_more_to_show(make_snapshot: Make) -> None:
    history = History()
    assert history.observe(make_snapshot(at_ns=0, counters=COUNTERS), "serving")
    assert not history.observe(make_snapshot(at_ns=10**9, counters=COUNTERS), "serving")
    assert history.observe(make_snapshot(at_ns=2 * 10**9, counters=COUNTERS), "draining")
    assert history.observe(make_snapshot(at_ns=INTERVAL_NS, counters=COUNTERS), "draining")


def test_history_takes_a_reason_whose_figures_move_for_one(make_snapshot: Make) -> None:
    history = History()
    for second, reason in enumerate(
        (
            "CPU 97 %, limit 95 % (not at this moment; counts until it was well for 1.9 s more)",
            "CPU 96 %, limit 95 % (not at this moment; counts until it was well for 848 ms more)",
            "CPU 99 %, limit 95 %",
            "memory 99 %, limit 95 %",
            "nvme0 hangs",
            "nvme1 hangs",
        )
    ):
        health = Health(verdict="degraded", reasons=[reason])
        history.observe(make_snapshot(at_ns=second * 10**9, counters=COUNTERS, health=health), "serving")
    assert [change.reasons[0].split()[0] for change in history.page().changes] == [
        "CPU",
        "memory",
        "nvme0",
        "nvme1",
    ]
