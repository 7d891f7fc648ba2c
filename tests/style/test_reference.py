"""Reference pages and default configuration are what the declarations say; programs that must agree do."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from oca.common.box import SteeringTable
from steering.settings import SteeringSettings

if TYPE_CHECKING:
    from tests.style.conftest import Tree


def test_reference_pages_are_as_declared(tree: Tree) -> None:
    checked = subprocess.run(
        [sys.executable, "docs/generate.py", "--check"], cwd=tree.root, capture_output=True, text=True, check=False
    )
    assert (checked.returncode, checked.stdout) == (0, ""), checked.stdout + checked.stderr


def test_report_intervals_agree_by_default() -> None:
    fleet = SteeringSettings().fleet
    limit_s = fleet.report_interval_s * fleet.missed_reports_max + fleet.report_grace_s
    assert SteeringTable().report_interval_s == fleet.report_interval_s
    assert SteeringTable().report_interval_s * 1.1 < limit_s
