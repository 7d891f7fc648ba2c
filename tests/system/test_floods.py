"""Floods against a real ``oca serve``: a viewer beside them hardly notices, and nothing of them stays.

Windows with and without the flood alternate, and medians are compared: the machine may be busy with other things.
"""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tests.system import flooding
from tests.system.test_serve import HOST, WAIT_S, Box, box, wait_until

pytestmark = [pytest.mark.system, pytest.mark.flood]

__all__ = ["box"]
WINDOW_S = 1.0
PAIRS = 4
PAIRS_MAX = 12
"""More are taken while the medians are apart: a neighbour on the machine disturbs some windows, a flood all of them."""
RATIO_MAX = 2.0
HOT_BYTES, LARGE_BYTES = 65536, 16 * 2**20
RSS_GROWTH_BYTES_MAX = 6 * 2**20
LIMITS = """
connections_max = 600
connections_per_client_max = 150
head_timeout_s = 1.5
idle_timeout_s = 3.0
stalled_timeout_s = 3.0
client_rate_bytes_per_s_min = 20000
client_rate_window_s = 1.5
pipelined_max = 32
"""


@pytest.fixture
def flooded(box: Box, tmp_path: Path) -> Box:
    """A box with tight limits, a hot object and a large one."""
    box.config.write_text(box.config.read_text().replace("drain_s = 20\n", f"drain_s = 20{LIMITS}"))
    film = tmp_path / "film"
    film.mkdir()
    (film / "hot.m4s").write_bytes(os.urandom(HOT_BYTES))
    (film / "large.m4s").write_bytes(os.urandom(2**20) * (LARGE_BYTES // 2**20))
    imported = box.run(
        "store", "import", str(film), "--asset", "film/v", "--mount", "/film", "--config", str(box.config)
    )
    assert imported.returncode == 0, imported.stderr
    return box


def counted(box: Box) -> dict[str, float]:
    """Every counter of the box, by its name and label as scraped."""
    with urllib.request.urlopen(f"http://{HOST}:{box.admin}/metrics", timeout=WAIT_S) as response:
        lines = response.read().decode().splitlines()
    return {found[1]: float(found[2]) for line in lines if (found := re.match(r"oca_delivery_(\S+) (\S+)$", line))}


def rss_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def start(box: Box, kind: str, seconds: float) -> subprocess.Popen[str]:
    command = [sys.executable, flooding.__file__, kind, HOST, str(box.delivery), str(seconds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE if kind == "hot" else None, text=True)


def window(box: Box) -> float:
    """A viewer's p99 in seconds; all it asks is answered."""
    said, _ = start(box, "hot", WINDOW_S).communicate(timeout=WAIT_S)
    told = json.loads(said)
    assert told["failed"] == 0
    assert told["answered"] > 20
    return float(told["p99_s"])


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("kind", "limit"),
    [
        ("slowloris", 'time_outs_total{state="head"}'),
        ("slow-read", 'sends_cut_total{cause="slow"}'),
        ("header-bomb", 'refusals_total{reason="head-too-large"}'),
    ],
)
def test_viewer_hardly_notices_flood_and_nothing_of_it_stays(flooded: Box, kind: str, limit: str) -> None:
    with flooded.serving():
        (worker,) = flooded.ask("/v1/status")["workers"]
        window(flooded)
        warm = start(flooded, kind, WINDOW_S)  # once, for what a worker allocates and keeps the first time
        assert warm.wait(WAIT_S) == 0
        wait_until(lambda: counted(flooded)["connections"] == 0)
        before_bytes = rss_bytes(worker["pid"])
        quiet: list[float] = []
        loud: list[float] = []
        while len(quiet) < PAIRS or (ratio(loud, quiet) > RATIO_MAX and len(quiet) < PAIRS_MAX):
            quiet.append(window(flooded))
            flood = start(flooded, kind, WINDOW_S + 3)
            wait_until(lambda: counted(flooded)["connections"] > 5)
            loud.append(window(flooded))
            assert flood.poll() is None, "the flood was over before the window"
            assert flood.wait(WAIT_S) == 0
        assert counted(flooded)[limit] > 0
        wait_until(lambda: counted(flooded)["connections"] == 0)
        assert flooded.ask("/v1/status")["workers"][0]["restarts"] == 0
        assert rss_bytes(worker["pid"]) - before_bytes < RSS_GROWTH_BYTES_MAX
        assert ratio(loud, quiet) <= RATIO_MAX, f"p99 in s without {quiet}, with {loud}"


def ratio(loud: list[float], quiet: list[float]) -> float:
    return statistics.median(loud) / statistics.median(quiet)
