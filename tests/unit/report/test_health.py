from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oca.report.health import (
    DEVICE_FREE_BYTES_MIN,
    REASON_CHARACTERS_MAX,
    REASONS_MAX,
    DeviceReading,
    LinkReading,
    Readings,
    WorkerReading,
    judge,
)

GIB = 2**30
GOOD = Readings(
    workers=(WorkerReading(0, ready=True), WorkerReading(1, ready=True, why="ended by SIGKILL")),
    devices=(DeviceReading("/d0", "", GIB), DeviceReading("/d1", "", GIB)),
    links=(LinkReading("eth0", up=True, why=""), LinkReading("eth1", up=True, why="")),
    requests=1000,
    errors=10,
    cpu_ratio=0.95,
    memory_available_ratio=0.05,
)
DOWN = WorkerReading(1, ready=False, why="ended by SIGSEGV")
SICK = DeviceReading("/d1", "read: Input/output error", 0)
DARK = LinkReading("eth1", up=False, why="no carrier")


def test_health_is_ok_at_every_limit() -> None:
    health = judge(GOOD)
    assert (health.verdict, health.reasons) == ("ok", [])


@pytest.mark.parametrize(
    ("changes", "verdict", "reasons"),
    [
        ({"workers": (GOOD.workers[0], DOWN)}, "degraded", ["delivery worker 1 is not ready: ended by SIGSEGV"]),
        (
            {"workers": (WorkerReading(0, ready=False),)},
            "failed",
            ["no delivery worker is ready", "delivery worker 0 is not ready: starting"],
        ),
        ({"workers": ()}, "failed", ["no delivery worker is ready"]),
        ({"devices": (GOOD.devices[0], SICK)}, "degraded", ["device /d1: read: Input/output error"]),
        ({"devices": (SICK,)}, "failed", ["no device of the store works", "device /d1: read: Input/output error"]),
        (
            {"devices": (DeviceReading("/d0", "", GIB, answers=False),)},
            "degraded",  # not failed: what is in memory of it is served
            ["device /d0 does not answer reads"],
        ),
        ({"devices": (GOOD.devices[0], replace(SICK, answers=False))}, "degraded", [f"device /d1: {SICK.fault}"]),
        (
            {"devices": (DeviceReading("/d0", "", GIB, read_only="mount it again"),)},
            "degraded",
            ["device /d0 serves, but takes nothing new: mount it again"],
        ),
        (
            {"devices": (DeviceReading("/d0", "", DEVICE_FREE_BYTES_MIN - 1),)},
            "degraded",
            ["device /d0: 64.0 MiB free, at least 64.0 MiB wanted; remove what is not ours"],
        ),
        ({"links": (GOOD.links[0], DARK)}, "degraded", ["link eth1: no carrier"]),
        ({"links": (DARK,)}, "failed", ["no link of a delivery address is up", "link eth1: no carrier"]),
        ({"links": ()}, "ok", []),
        ({"errors": 11}, "degraded", ["11 of the last 1000 requests failed on our side, limit 1%"]),
        ({"requests": 99, "errors": 99}, "ok", []),
        ({"cpu_ratio": 0.96}, "degraded", ["CPU 96% busy, limit 95%"]),
        ({"memory_available_ratio": 0.04}, "degraded", ["4% of memory available, at least 5% wanted"]),
    ],
)
def test_health_gives_verdict_with_reasons(changes: dict[str, object], verdict: str, reasons: list[str]) -> None:
    health = judge(replace(GOOD, **changes))  # type: ignore[arg-type]
    assert (health.verdict, health.reasons) == (verdict, reasons)


def test_health_names_gravest_reason_first() -> None:
    health = judge(replace(GOOD, cpu_ratio=1.0, links=(DARK,)))
    assert health.reasons[0] == "no link of a delivery address is up"


@given(st.integers(0, 120), st.text(max_size=600))
def test_health_bounds_reasons(count: int, why: str) -> None:
    workers = [WorkerReading(number, ready=False, why=why) for number in range(count)]
    health = judge(replace(GOOD, workers=workers))
    assert health.verdict == "failed"
    assert len(health.reasons) <= REASONS_MAX
    assert all(len(reason) <= REASON_CHARACTERS_MAX for reason in health.reasons)
    if count >= REASONS_MAX:
        assert health.reasons[-1] == f"and {count + 1 - REASONS_MAX + 1} more"
