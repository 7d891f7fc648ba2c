from __future__ import annotations

from defusedxml.ElementTree import fromstring

from fill.diff import Skipped
from fill.night import Night
from fill.page import PLOT_HEIGHT, efficiency_text, render_page

NIGHTS = [
    Night(night="2026-01-10", started_at_ns=0, ended_at_ns=9, bytes_by_source={"origin": 100, "peer": 300}),
    Night(
        night="2026-01-11",
        started_at_ns=0,
        ended_at_ns=9,
        bytes_in=200,
        bytes_by_source={"tier": 200},
        refused=(Skipped("t/<b>", 5, "no source & no room"),),
        refused_total=1,
        served_bytes=500,
        served_until_ns=10,
    ),
]


def svg_of(page: str) -> list[tuple[str, float]]:
    """(what it says, height) of each bar that has one."""
    plot = fromstring(page[page.index("<svg") : page.index("</svg>") + 6])
    bars = [rect for rect in plot.iter("rect") if rect.find("title") is not None]
    return [(rect.find("title").text, float(rect.get("height"))) for rect in bars if float(rect.get("height"))]


def test_page_plots_bytes_by_source() -> None:
    assert svg_of(render_page("fra1-a", NIGHTS)) == [
        ("2026-01-10: 300 B from peer", PLOT_HEIGHT * 0.75),
        ("2026-01-10: 100 B from origin", PLOT_HEIGHT * 0.25),
        ("2026-01-11: 200 B from tier", PLOT_HEIGHT * 0.5),
    ]


def test_page_lists_nights_newest_first_and_what_was_refused_escaped() -> None:
    page = render_page("fra1-a", NIGHTS)
    assert page.index("<td>2026-01-11</td>") < page.index("<td>2026-01-10</td>")
    assert "<li>t/&lt;b&gt;, 5 B: no source &amp; no room</li>" in page
    assert "<td>2.50 so far</td>" in page


def test_page_without_nights_says_nothing_was_refused() -> None:
    page = render_page("fra1-a", [])
    assert "<li>nothing</li>" in page
    assert svg_of(page) == []


def test_efficiency_is_told_as_far_as_it_is_known() -> None:
    assert efficiency_text(NIGHTS[0]) == "not known yet"
    whole = Night(
        night="2026-01-10", started_at_ns=0, ended_at_ns=0, bytes_in=2, served_bytes=3, served_until_ns=10**18
    )
    assert efficiency_text(whole) == "1.50"
