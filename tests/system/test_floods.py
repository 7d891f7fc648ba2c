"""Floods against a real ``oca serve``: a viewer beside them hardly notices, and nothing of them stays.

Windows with and without the flood alternate, and medians are compared. The worker, and the viewer that measures, have
the processor before everyone else: what decides is the flood, not how busy the machine is.
"""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Literal

import pytest

from tests.system import flooding
from tests.system.test_serve import HOST, Box, box
from tests.waiting import WAIT_S, wait_until

pytestmark = [pytest.mark.system, pytest.mark.flood]

__all__ = ["box"]
WINDOW_S = 2.0
FLOOD_S = 7.0
PAIRS = 3
PAIRS_MAX = 9
"""More are taken while the medians are apart: a neighbour on the machine disturbs some windows, a flood all of them."""
RATIO_MAX = 2.0
LARGE_BYTES = 16 * 2**20
HOT_BYTES = 65536
PRIVATE_GROWTH_BYTES_MAX = 4 * 2**20
BLOCKS_KEPT_MAX, BLOCKS_GROWTH_MAX = 5_000, 1_000
"""Pieces of memory in use after floods that were not before: of what the first makes known, and of all that follow."""
TOLD_S = 1.5
"""Within which the worker tells them anew."""
PRIVATE_PER_CONNECTION_BYTES_MAX = 30 * 1024
"""Of one that pipelines: 32 requests of some 500 bytes each, and what was read of further ones."""
CLIENT_MAX, CONNECTIONS_MAX = 150, 3000
LIMITS = f"""
pin_workers = true
connections_max = {CONNECTIONS_MAX}
connections_per_client_max = {CLIENT_MAX}
head_timeout_s = 3
idle_timeout_s = 4
stalled_timeout_s = 4
client_rate_bytes_per_s_min = 20000
client_rate_window_s = 2.5
pipelined_max = 32
"""
PER_CLIENT = 'connections_refused_total{limit="client"}'


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


def private_bytes(pid: int) -> int:
    """Memory that a process shares with no other."""
    said = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return sum(int(size) for size in re.findall(r"Private_(?:Clean|Dirty): +(\d+) kB", said)) * 1024


def blocks_in_use(box: Box) -> float:
    """Pieces of memory that its worker has in use, as told next."""
    time.sleep(TOLD_S)
    return counted(box)["memory_blocks"]


def start(box: Box, *what: str, seconds: float) -> subprocess.Popen[str]:
    command = [sys.executable, flooding.__file__, *what, HOST, str(box.delivery), str(seconds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE if what == ("hot",) else None, text=True)


def window(box: Box) -> float:
    """A viewer's p99 in seconds; all it asks is answered."""
    said, _ = start(box, "hot", seconds=WINDOW_S).communicate(timeout=WAIT_S)
    told = json.loads(said)
    assert told["failed"] == 0, told
    assert told["answered"] > 20
    return float(told["p99_s"])


def ratio(loud: list[float], quiet: list[float]) -> float:
    return statistics.median(loud) / statistics.median(quiet)


@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    ("kind", "limit"),
    [
        ("slowloris", 'time_outs_total{state="head"}'),
        ("slow-read", 'sends_cut_total{cause="slow"}'),
        ("header-bomb", 'refusals_total{reason="head-too-large"}'),
        ("connection", "connections_gave_way_total"),
        ("pipelining", "pipelining_pauses_total"),
        ("range-bomb", 'responses_total{status="206"}'),
    ],
)
@pytest.mark.parametrize("sources", ["many", "one"])
def test_viewer_hardly_notices_flood_and_nothing_of_it_stays(
    flooded: Box, kind: str, limit: str, sources: Literal["many", "one"]
) -> None:
    held = min(flooding.FLOODS[kind].connections, CONNECTIONS_MAX) if sources == "many" else CLIENT_MAX
    with flooded.serving():
        (worker,) = flooded.ask("/v1/status")["workers"]
        pid = int(worker["pid"])
        for task in Path(f"/proc/{pid}/task").iterdir():
            flooding.come_first(int(task.name))
        window(flooded)
        idle_bytes, idle_blocks = private_bytes(pid), blocks_in_use(flooded)
        kept_bytes: list[int] = []
        kept_blocks: list[float] = []
        most_blocks = 0.0
        quiet: list[float] = []
        loud: list[float] = []
        most_bytes = 0
        while len(quiet) < PAIRS or (ratio(loud, quiet) > RATIO_MAX and len(quiet) < PAIRS_MAX):
            quiet.append(window(flooded))
            flood = start(flooded, kind, sources, seconds=FLOOD_S)
            wait_until(lambda: counted(flooded)["connections"] > 0.9 * held)
            loud.append(window(flooded))
            most_bytes = max(most_bytes, private_bytes(pid))
            most_blocks = max(most_blocks, counted(flooded)["memory_blocks"])
            assert flood.poll() is None, "the flood was over before the window"
            assert flood.wait(WAIT_S) == 0
            wait_until(lambda: counted(flooded)["connections"] == 0)
            kept_bytes.append(private_bytes(pid))
            kept_blocks.append(blocks_in_use(flooded))
        counts = counted(flooded)
        print(
            f"{kind} from {sources}: p99 {statistics.median(quiet) * 1e3:.2f} ms without, "
            f"{statistics.median(loud) * 1e3:.2f} ms with; private memory {idle_bytes >> 10} KiB before, "
            f"{most_bytes >> 10} KiB amid, {[each >> 10 for each in kept_bytes]} KiB after each; "
            f"pieces in use {idle_blocks:.0f} before, {most_blocks:.0f} amid, {kept_blocks} after each"
        )
        assert counts[limit if sources == "many" else PER_CLIENT] > 0
        assert sources == "one" or counts[PER_CLIENT] == 0
        if kind == "range-bomb":  # no more is sent than is asked for once over
            assert counts["sent_bytes_total"] <= HOT_BYTES * counts["first_byte_seconds_count"]
        assert flooded.ask("/v1/status")["workers"][0]["restarts"] == 0
        # All that was in use is free again. What the first flood made it allocate the process keeps for the next, so
        # much a connection; no flood adds to that.
        assert kept_blocks[-1] <= idle_blocks + BLOCKS_KEPT_MAX, kept_blocks
        assert kept_blocks[-1] - kept_blocks[0] <= BLOCKS_GROWTH_MAX, kept_blocks
        assert most_bytes - idle_bytes < 2**20 + held * PRIVATE_PER_CONNECTION_BYTES_MAX
        assert kept_bytes[-1] - kept_bytes[0] < PRIVATE_GROWTH_BYTES_MAX, kept_bytes
        assert ratio(loud, quiet) <= RATIO_MAX, f"p99 in s without {quiet}, with {loud}"
