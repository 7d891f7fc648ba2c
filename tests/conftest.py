"""In CI a skipped test is a failure: what was not run was not shown."""

from __future__ import annotations

import os
import sys

import pytest
from hypothesis import HealthCheck, settings

from compiled.sources import interpreted, listed
from tests.page_cache import use_folder

# A busy machine is not a wrong answer.
settings.register_profile("oca", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("oca")

# Tests start our programs hundreds of times: as installed ones do, they find their modules compiled.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

_skipped: list[str] = []
_lacking: list[str] = []


def pytest_configure(config: pytest.Config) -> None:
    modules = listed(config.rootpath)
    wanted = [] if os.environ.get("TEST_COMPILED") else modules
    if wrong := set(interpreted(modules)) ^ set(wanted):
        form = "from" if not wanted else "not from"
        remedy = "unset PYTHONPATH and TEST_COMPILED, and uninstall other copies; or run make test-compiled"
        raise pytest.UsageError(f"{len(wrong)} modules come {form} the sources, as {min(wrong)}: {remedy}")
    if not hasattr(config, "workerinput") and config.option.basetemp is None and not use_folder():
        _lacking.append("no folder tells what of its files is in memory: tests of cold reads fail; set TMPDIR")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.skipped and not hasattr(report, "wasxfail"):
        _skipped.append(report.nodeid)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if os.environ.get("CI") and _skipped and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for line in _lacking:
        terminalreporter.write_line(line, red=True)
    if os.environ.get("CI") and _skipped:
        terminalreporter.write_line(f"skipped in CI, which counts as failed: {', '.join(_skipped)}", red=True)
