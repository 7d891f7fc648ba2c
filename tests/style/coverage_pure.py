"""Fails unless every pure module is covered whole, branches included: ``python tests/style/coverage_pure.py``.

Reads ``.coverage`` as pytest-cov leaves it in the current folder.
"""

from __future__ import annotations

import sys
from pathlib import Path

import coverage
from coverage.exceptions import CoverageException

ROOT = Path(__file__).resolve().parents[2]


def main() -> int:
    """Print what is not covered; 0 if nothing."""
    report = coverage.Coverage(data_file=str(ROOT / ".coverage"), config_file=str(ROOT / "pyproject.toml"))
    report.load()
    modules = (ROOT / "tests/style/pure_modules.txt").read_text().split()
    gaps = 0
    for module in modules:
        try:
            gap = _gap(report, ROOT / module)
        except CoverageException as error:
            gap = str(error)
        if gap:
            gaps += 1
            print(f"{module}: {gap}")
    print(f"{len(modules) - gaps} of {len(modules)} pure modules are covered whole")
    return 1 if gaps else 0


def _gap(report: coverage.Coverage, module: Path) -> str:
    _, _, _, missing, lines = report.analysis2(str(module))
    if missing:
        return f"lines {lines} never run"
    analysis = report._analyze(str(module))
    branches = {f"{start}->{end}" for start, ends in analysis.missing_branch_arcs().items() for end in ends}
    return f"branches {', '.join(sorted(branches))} never taken" if branches else ""


if __name__ == "__main__":
    sys.exit(main())
