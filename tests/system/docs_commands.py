"""The commands that the pages show: which are run by the package's test, and why each other one is not."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
LANGUAGES = {"sh", "console", "toml", "yaml", "bird", "nats", "python", "json", "text"}
FENCE = re.compile(r"^( *)```(\S*)\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)

STEPS: dict[str, tuple[str, ...]] = {
    "install.md": ("apt-get install ./open-appliance_0.1.0-1", "apt-get install ./open-appliance_0.2.0-1"),
    "deploying.md": (
        "oca-steering config check",
        "oca-steering publish",
        "oca-steering enrol create",
        "install -d -o oca",
        "oca config print",
    ),
    "turnup.md": (
        "oca init",
        "oca enrol --token -",
        "oca check",
        "oca status",
        "systemd-run --uid=oca --slice=oca.slice oca-fill run --now",
        "oca-fill status",
        "oca store ls",
        "oca-steering fleet",
        "oca-steering explain",
    ),
    "operators.md": (
        "oca-steering users add",
        "oca-steering users list",
        "oca-steering users role",
        "oca-steering users password",
        "oca-steering users remove",
        "oca-steering audit",
    ),
    "health.md": ("oca-steering fleet",),
    "history.md": ("oca-steering history",),
    "popularity.md": ("oca-steering plan --explain",),
    "signing.md": ("oca token key", "oca token make", "oca token check"),
    "steering.md": (
        "oca-steering explain",
        'curl -s $STEERING/v1/playback -H \'Content-Type: application/json\' -d \'{"title": "harbour", "client"',
        'curl -s $STEERING/v1/playback -H \'Content-Type: application/json\' -d \'{"title": "harbour", "device"',
        "curl -s $STEERING/v1/playbacks",
        "curl -s $STEERING/v1/playback/harbour/master.m3u8",
        'curl -s "$STEERING/steer/dash',
        "curl -sI $STEERING/r/harbour",
        "oca-steering replay",
    ),
    "README.md": (
        "oca init",
        "oca config check",
        "oca store import",
        "oca-steering publish",
        "oca-steering plan",
    ),
}
"""By page, how each command begins that tests/system/test_package.py runs in an installed Debian."""

REASONS: dict[tuple[str, str], str] = {
    ("deploying.md", "systemctl"): "wants systemd as first process; the test runs the unit's own ExecStart",
    ("turnup.md", "systemctl"): "wants systemd as first process; the test runs the unit's own ExecStart",
    ("turnup.md", "mkfs.xfs"): "formats a device",
    ("turnup.md", "echo '/dev/nvme0n1p1"): "mounts a device",
    ("deploying.md", "useradd"): "the package makes the users",
    ("deploying.md", "pipx"): "fetches what the package brings",
    ("deploying.md", "ln -s"): "the package brings the link",
    ("deploying.md", "mkdir /etc/oca-steering"): "the package brings the folder",
    ("install.md", "apt-get install --allow-downgrades"): "as the upgrade before it, whose test ends with that version",
    ("publishing.md", "mkdir"): "run by test_publishing.py, which has an ffmpeg",
    ("publishing.md", "ffmpeg"): "run by test_publishing.py, which has an ffmpeg",
    ("publishing.md", "oca-steering publish"): "run by test_publishing.py, on what that ffmpeg wrote",
    ("publishing.md", "oca-steering titles"): "run by test_publishing.py, on what that ffmpeg wrote",
    ("operations.md", "python3 -m venv"): "fetches dependencies; a new version by a link is in test_reload.py",
    ("operations.md", "ln -sfn"): "a new version by a link is in test_reload.py",
    ("logs.md", "journalctl"): "wants a journal",
    ("history.md", "duckdb"): "a program of its own; the same files are queried in tests/unit/steering/history",
    ("popularity.md", "make"): "takes minutes",
    ("state.md", "mv"): "wants a cluster; done in test_federation.py by the same commands",
    ("state.md", "install -d"): "wants a cluster; done in test_federation.py by the same commands",
    ("README.md", "make"): "demo and test themselves; the demo is in test_demo.py",
    ("README.md", "export PATH"): "the installed programs are in the path",
    ("README.md", "cp -r .demo"): "the demo's film; the test has one of its own",
    ("README.md", "oca serve"): "the test runs the unit's own ExecStart",
    ("README.md", "oca status"): "run as turnup.md has it",
    ("README.md", "python -m demo.origin"): "run by the test itself",
    ("README.md", "oca-steering explain"): "run as turnup.md has it",
    ("README.md", "oca-steering fleet"): "run as turnup.md has it",
    ("README.md", "oca-steering serve"): "the test runs the unit's own ExecStart",
    ("README.md", "oca-fill run"): "run as turnup.md has it",
    ("CONTRIBUTING.md", "git"): "clones",
    ("CONTRIBUTING.md", "make"): "this test is part of it",
    ("CONTRIBUTING.md", ".venv/bin/pre-commit"): "changes the clone",
}
"""By page and how it begins: why a command is only compared with what our programs and make know."""

SETTINGS = {
    "README.md": "oca-steering",
    "deploying.md": "oca-steering",
    "history.md": "oca-steering",
    "state.md": "oca-steering",
    "fill.md": "oca-fill",
}
"""Whose settings a page shows; else an appliance's."""
NEEDED = {
    "oca": '[appliance]\nid = "a"\nsite = "b"\n[store]\ndevices = ["/var/lib/oca/nvme0"]\n',
    "oca-fill": "",
    "oca-steering": "",
}
"""What no settings go without."""


class Block(NamedTuple):
    """One block of code of a page."""

    page: str
    language: str
    text: str


def blocks(page: Path) -> list[Block]:
    """All of a page, without their indent."""
    found = []
    for indent, language, text in FENCE.findall(page.read_text()):
        lines = [line.removeprefix(indent) for line in text.splitlines()]
        found.append(Block(page.name, language, "\n".join(lines) + "\n"))
    return found


def shown(page: Path) -> list[str]:
    """The commands that a page tells its reader to type, a line each, without prompts and remarks."""
    found = []
    for block in blocks(page):
        if block.language not in ("sh", "console"):
            continue
        lines = re.sub(r" *\\\n\s*", " ", block.text).splitlines()
        if block.language == "console":
            lines = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
        found += [line for each in lines if (line := re.sub(r"(^|\s+)#.*", "", each).strip())]
    return found


def command(page: str, start: str) -> str:
    """The command of a page that begins so."""
    path = ROOT / ("" if page.isupper() or page in ("README.md", "CONTRIBUTING.md") else "docs") / page
    (found, *_) = [line for line in shown(path) if line.startswith(start)]
    return found
