"""``python -m debian``: the Debian package of this tree, for the Python of Debian 12, under ``dist/``."""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from debian.stage import GLIBC_MINOR, MACHINES, PYTHON, Stage
from oca import __version__
from oca.common.units import format_bytes

ROOT = Path(__file__).resolve().parents[1]


def main() -> int:
    """Build, and say what was built."""
    parser = argparse.ArgumentParser(prog="make deb", description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="folder for the package")
    parser.add_argument("--version", default=f"{__version__}-1", help="version of the package")
    parser.add_argument("--kept", type=Path, default=ROOT / ".demo" / "package", help="for what the next build needs")
    parser.add_argument("--effort", type=int, choices=range(10), default=4, help="of xz; 0: quick, not packed at all")
    wanted = parser.parse_args()
    machine = output("dpkg", "--print-architecture")
    if machine not in MACHINES:
        print(f"no wheels for {machine}: build on {' or '.join(MACHINES)}", file=sys.stderr)
        return 1
    if fault := unlike_debian():
        print(f"{fault}; our compiled modules would not load there", file=sys.stderr)
        return 1
    wanted.out.mkdir(parents=True, exist_ok=True)
    package = wanted.out / f"open-appliance_{wanted.version}_{machine}.deb"
    with tempfile.TemporaryDirectory() as folder:
        stage = Stage(ROOT, Path(folder) / "stage", version=wanted.version, machine=machine, built_at_s=commit_time())
        stage.fill(wanted.kept)
        stage.pack(package, effort=wanted.effort)
    digest = hashlib.sha256(package.read_bytes()).hexdigest()
    print(f"{package}  {format_bytes(package.stat().st_size)}\nsha256 {digest}")
    return 0


def unlike_debian() -> str:
    """Why what is compiled here is not for Debian 12; empty where it is."""
    if (python := f"python{sys.version_info[0]}.{sys.version_info[1]}") != PYTHON:
        return f"build by Debian 12's {PYTHON}, not by {python}"
    glibc = str(os.confstr("CS_GNU_LIBC_VERSION")).removeprefix("glibc ")
    if [int(part) for part in glibc.split(".")] > [2, GLIBC_MINOR]:
        return f"build on Debian 12, whose C library is 2.{GLIBC_MINOR}, not {glibc}"
    return ""


def commit_time() -> int:
    """When the tree's last commit was made, seconds since 1970: the time of every file in the package."""
    return int(output("git", "-C", str(ROOT), "log", "-1", "--format=%ct"))


def output(*command: str) -> str:
    """What a command prints."""
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
