import re
from pathlib import Path

import pytest

from benchmarks.delivery import report
from benchmarks.delivery.load import Run
from benchmarks.delivery.material import SIZES
from benchmarks.delivery.paced import Paced

COSTS = {"oca": 12.0, "oca plain": 11.0, "nginx": 10.0, "nginx nopush": 8.0, "floor": 6.0, "aiohttp": 100.0}


def run(server: str, size: str, cpu_us: float) -> Run:
    return Run(server, size, 1000, cpu_us, 1e9, p50_us=100, p99_us=int(cpu_us * 100), p999_us=3000, rss_bytes=2**20)


RUNS = [run(server, size, cost * off) for server, cost in COSTS.items() for size in SIZES for off in (0.5, 1.0, 7.0)]


def value(figures: list[dict[str, object]], name: str) -> tuple[object, object, object]:
    (found,) = (each for each in figures if each["name"] == name)
    return found["value"], found["bar"], found["holds"]


def test_report_compares_medians_with_nginx_at_its_cheapest() -> None:
    figures = report.plain_figures(RUNS, [run("oca", size, 20.0) for size in SIZES])
    assert report.rival(RUNS, "4 KiB") == "nginx nopush"
    assert value(figures, "cpu per request vs nginx, 4 KiB") == (1.5, 1.3, False)
    assert value(figures, "p99 latency vs nginx, 1 MiB") == (1.5, 1.0, False)
    assert value(figures, "cpu per request, every header block new, 4 KiB") == (20.0, None, None)
    assert value(figures, "cpu per GiB, 1 MiB") == (pytest.approx(0.0123, abs=1e-4), None, None)


def test_report_holds_floor_and_file_response_against_their_bars() -> None:
    figures = report.other_figures(RUNS, ["floor", "aiohttp"])
    assert value(figures, "cpu vs floor, 1 MiB") == (2.0, 1.15, False)
    assert value(figures, "cpu vs floor, 4 KiB") == (2.0, None, None)
    assert value(figures, "cpu vs aiohttp FileResponse, 1 MiB") == (0.12, 0.2, True)


def test_report_holds_players_against_no_error_and_no_stall() -> None:
    paced = Paced("oca", 10_000, 99_000, 1, 0, 1e9, 100, 200, 300, 40.0, 9000.0)
    figures = report.paced_figures([paced])
    assert value(figures, "errors, oca, 10000 players") == (1, 0, False)
    assert value(figures, "stalls, oca, 10000 players") == (0, 0, True)
    assert value(figures, "memory a connection, oca, 10000 players") == (9000.0, 16384, True)
    assert [row[4] for row in report.rows(figures)] == ["NO", "yes", "yes"]


def test_plot_is_drawn_of_every_server(tmp_path: Path) -> None:
    report.plot(RUNS, list(COSTS), tmp_path / "delivery.png")
    assert re.match(rb"\x89PNG", (tmp_path / "delivery.png").read_bytes())
