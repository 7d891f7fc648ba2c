"""The systemd units: right, hardened with a reason for each thing left open, and true to what the programs do."""

from __future__ import annotations

import configparser
import json
import os
import re
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from oca.delivery.settings import DeliveryTable
from tests.system.test_serve import HOST, Box
from tests.waiting import WAIT_S

pytestmark = pytest.mark.system

ROOT = Path(__file__).resolve().parents[2]
UNITS = ROOT / "systemd"
SERVICES = ("oca", "oca-fill", "oca-steering")
EXPOSURE_MAX = 2.0


class Unit(configparser.RawConfigParser):
    """A unit file; of a key given several times, the last value."""

    def __init__(self, name: str) -> None:
        super().__init__(strict=False, delimiters=("=",), comment_prefixes=("#",), interpolation=None)
        self.read(UNITS / name)

    def optionxform(self, optionstr: str) -> str:
        return optionstr


def run(*command: str, cwd: Path = UNITS) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


def exposed(service: str) -> tuple[float, set[str]]:
    """The exposure that systemd-analyze finds, and the names of what it marks."""
    command = ("systemd-analyze", "security", "--offline=yes", "--no-pager")
    told = run(*command, f"./{service}.service").stdout
    overall = re.search(r"Overall exposure level for \S+: ([\d.]+)", told)
    assert overall, told
    points: list[dict[str, Any]] = json.loads(run(*command, "--json=short", f"./{service}.service").stdout)
    return float(overall[1]), {point["name"] for point in points if point["set"] is False}


def reasons() -> dict[str, set[str]]:
    """By service, what docs/security.md gives a reason for."""
    section = (ROOT / "docs/security.md").read_text().partition("## What the units leave open")[2]
    given: dict[str, set[str]] = {service: set() for service in SERVICES}
    for row in re.findall(r"^\| (`.+) \| ([\w, -]+) \| .+ \|$", section, re.MULTILINE):
        for service in SERVICES if row[1] == "all" else row[1].split(", "):
            given[service] |= {name.replace("\\|", "|") for name in re.findall(r"`([^`]+)`", row[0])}
    return given


@pytest.fixture
def system(tmp_path: Path) -> Path:
    """A root folder with systemd's own units, ours, and programs where ours name them."""
    shutil.copytree("/usr/lib/systemd/system", tmp_path / "usr/lib/systemd/system", symlinks=True)
    for unit in UNITS.iterdir():
        shutil.copy(unit, tmp_path / "usr/lib/systemd/system")
    for program in ("usr/bin/oca", "usr/bin/oca-fill", "usr/bin/oca-steering", "bin/kill"):
        path = tmp_path / program
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("#!/bin/sh\n")
        path.chmod(0o755)
    return tmp_path


def verify(system: Path) -> subprocess.CompletedProcess[str]:
    return run("systemd-analyze", "verify", f"--root={system}", *sorted(path.name for path in UNITS.iterdir()))


def test_units_verify_clean(system: Path) -> None:
    checked = verify(system)
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")


def test_units_verify_finds_wrong_key(system: Path) -> None:
    with (system / "usr/lib/systemd/system/oca.service").open("a") as unit:
        unit.write("[Service]\nWatchdogSecs=1\n")
    assert "Unknown key 'WatchdogSecs'" in verify(system).stderr


@pytest.mark.parametrize("service", SERVICES)
def test_units_leave_open_only_what_has_a_reason(service: str) -> None:
    exposure, left_open = exposed(service)
    assert exposure <= EXPOSURE_MAX
    assert left_open == reasons()[service]


def test_units_put_delivery_before_fill() -> None:
    oca, fill = Unit("oca.service")["Service"], Unit("oca-fill.service")["Service"]
    assert oca["Slice"] == fill["Slice"] == "oca.slice"
    for weight in ("CPUWeight", "IOWeight"):
        assert int(oca[weight]) >= 50 * int(fill[weight])


def test_units_look_for_a_fill_all_day_and_leave_windows_to_the_agent() -> None:
    timer = Unit("oca-fill.timer")["Timer"]
    assert timer["OnCalendar"] == "*:0/15"
    assert timer["RandomizedDelaySec"] == "14min"
    assert "--no-wait" in Unit("oca-fill.service")["Service"]["ExecStart"]


def test_units_stop_daemon_after_it_has_drained() -> None:
    assert int(Unit("oca.service")["Service"]["TimeoutStopSec"]) > DeliveryTable().drain_s


@pytest.mark.parametrize(
    ("service", "command"),
    [
        ("oca", "/usr/bin/oca serve --config /etc/oca/appliance.toml"),
        ("oca-fill", "/usr/bin/oca-fill run --no-wait --config /etc/oca/fill.toml"),
        ("oca-steering", "/usr/bin/oca-steering serve --config /etc/oca-steering/steering.toml"),
    ],
)
def test_units_may_write_only_where_systemd_makes_folders(service: str, command: str) -> None:
    unit = Unit(f"{service}.service")["Service"]
    assert unit["ExecStart"] == command
    assert unit["ProtectSystem"] == "strict"
    assert "ReadWritePaths" not in unit
    assert command.rsplit(maxsplit=1)[-1].startswith(f"/etc/{unit['ConfigurationDirectory']}/")


def members(name: str) -> set[str]:
    """The system calls of a set, with those of the sets in it."""
    listed = run("systemd-analyze", "syscall-filter", "--no-pager", name).stdout.splitlines()[1:]
    words = {line.strip() for line in listed if line.strip() and not line.strip().startswith("#")}
    return {word for word in words if word[0] != "@"}.union(*(members(word) for word in words if word[0] == "@"))


def allowed(service: str) -> set[str]:
    """What the filter of a unit lets through, its lines taken one after the other as systemd does."""
    let: set[str] = set()
    for line in re.findall(r"^SystemCallFilter=(.*)$", (UNITS / f"{service}.service").read_text(), re.MULTILINE):
        named = set().union(*(members(word) if word[0] == "@" else {word} for word in line.removeprefix("~").split()))
        let = let - named if line.startswith("~") else let | named
    return let


def test_units_let_through_the_system_calls_of_delivery(tmp_path: Path) -> None:
    box = Box(tmp_path)
    (tmp_path / "source").mkdir()
    (tmp_path / "source/1.m4s").write_bytes(os.urandom(2**20))
    asset = ("--asset", "film/video", "--mount", "/film", "--config", str(box.config))
    assert box.run("store", "import", str(tmp_path / "source"), *asset).returncode == 0
    trace = tmp_path / "trace"
    with box.serving(under=("strace", "-D", "-f", "-q", "-s", "0", "-e", "signal=none", "-o", str(trace))):
        with urllib.request.urlopen(f"http://{HOST}:{box.delivery}/film/1.m4s", timeout=WAIT_S) as answer:
            assert len(answer.read()) == 2**20
        assert box.run("drain", "--config", str(box.config)).returncode == 0
    used = set(re.findall(r"^\d+ +(\w+)\(", trace.read_text(), re.MULTILINE))
    assert {"sendfile", "bind"} <= used
    unheard_of = {
        "cachestat",
        "syscall_0x1c3",
    }  # the same: Debian 12 knows no name for it, and delivery does without it
    assert used - unheard_of <= allowed("oca")


def test_units_let_through_the_system_calls_that_move_memory_into_huge_pages(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    moving = """
from oca.common.huge_pages import HugePages
held = [bytes([1]) * 2**16 for _ in range(200)]
print(list(HugePages().move()))
"""
    strace = ("strace", "-q", "-e", "signal=none", "-o", str(trace))
    assert run(*strace, sys.executable, "-c", moving, cwd=ROOT).returncode == 0
    text = trace.read_text()
    used = set(re.findall(r"^(\w+)\(", text, re.MULTILINE))
    assert {"madvise", "pread64"} <= used <= allowed("oca-steering")
    assert re.search(r"^madvise\(0x\w+, 2097152, (MADV_COLLAPSE|0x19\b)", text, re.MULTILINE)
