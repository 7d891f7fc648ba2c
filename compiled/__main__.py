"""``python -m compiled``: the packages with the listed modules compiled, in a folder to put on PYTHONPATH."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from pathlib import Path

from compiled.extensions import ROOT, extensions, runtime_licence
from compiled.sources import PACKAGES

OUT = ROOT / ".venv" / "compiled"
KEPT = ROOT / ".venv" / "compiled-extensions"


def main() -> int:
    """Make the folder anew; the extension modules are compiled only where what they are made of has changed."""
    parser = argparse.ArgumentParser(prog="make compiled", description=__doc__)
    parser.add_argument("--out", type=Path, default=OUT, help="folder for the packages")
    parser.add_argument("--kept", type=Path, default=KEPT, help="for extension modules between two builds")
    parser.add_argument("--extensions", action="store_true", help="make no folder: say what there is, and where")
    wanted = parser.parse_args()
    with extensions(wanted.kept) as made:
        if wanted.extensions:
            print(runtime_licence(), made, sep="\n")
        else:
            assemble(made, wanted.out)
    return 0


def assemble(made: Path, out: Path) -> None:
    """Put today's sources and the extension modules ``made`` of them into ``out``, one at a time; never half of it."""
    for left in out.parent.glob(f".{out.name}-*"):
        shutil.rmtree(left)  # of one that was killed
    fresh, old = (out.with_name(f".{out.name}-{name}-{os.getpid()}") for name in ("fresh", "old"))
    for package in PACKAGES:
        # With what Python compiled, for times of files stay as they are; but not while it is being written.
        shutil.copytree(ROOT / package, fresh / package, ignore=shutil.ignore_patterns("*.pyc.*"))
    shutil.copytree(made, fresh, dirs_exist_ok=True)
    if out.exists():
        out.rename(old)
    fresh.rename(out)
    shutil.rmtree(old, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
