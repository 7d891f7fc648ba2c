from dataclasses import replace
from typing import Any

import pytest

from oca.report.health_settings import HealthTable
from oca.report.readings import DeviceReading, LinkReading, Readings, WorkerReading
from oca.report.signs import Sign, signs

GIB = 2**30
GOOD = Readings(
    workers=(WorkerReading(0, ready=True), WorkerReading(1, ready=True, why="ended by SIGKILL")),
    devices=(DeviceReading("/d0", "", GIB, read_s=0.01), DeviceReading("/d1", "", GIB)),
    links=(LinkReading("eth0", up=True, why="", use_ratio=0.5, error_ratio=0.0), LinkReading("eth1", up=True, why="")),
    requests=1000,
    errors=5,
    cpu_ratio=0.85,
    memory_available_ratio=0.08,
    first_byte_p99_s=0.5,
    clock_ahead_s=-2.0,
    certificates_left_s={"/c.pem": 14 * 86400.0},
)
DOWN = WorkerReading(1, ready=False, why="ended by SIGSEGV")
SICK = DeviceReading("/d1", "read: Input/output error", 0)
DARK = LinkReading("eth1", up=False, why="no carrier")
LIMITS = HealthTable()


def amiss(readings: Readings) -> list[Sign]:
    return [sign for sign in signs(readings, LIMITS) if sign.side != "good"]


def test_signs_are_all_good_at_every_limit_to_leave_at() -> None:
    assert amiss(GOOD) == []


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        (
            {"workers": (GOOD.workers[0], DOWN)},
            [("workers", "1", "delivery worker 1 is not ready: ended by SIGSEGV", 0.5, False)],
        ),
        (
            {"workers": (WorkerReading(0, ready=False),)},
            [
                ("workers", "", "no delivery worker is ready", 0.0, True),
                ("workers", "0", "delivery worker 0 is not ready: starting", 0.0, False),
            ],
        ),
        ({"workers": ()}, [("workers", "", "no delivery worker is ready", 0.0, True)]),
        (
            {"restarts": 3},
            [
                (
                    "worker-restarts",
                    "",
                    "3 delivery workers died within ten minutes, limit 2; see the log for how they ended",
                    0.5,
                    False,
                )
            ],
        ),
        (
            {"devices": (GOOD.devices[0], SICK)},
            [("device", "/d1", "device /d1: read: Input/output error", 1.0, False)],
        ),
        (
            {"devices": (SICK,)},
            [
                ("device", "", "no device of the store works", 0.0, True),
                ("device", "/d1", "device /d1: read: Input/output error", 1.0, False),
            ],
        ),
        (
            {"devices": (DeviceReading("/d0", "", GIB, answers=False),)},
            [("device-silent", "/d0", "device /d0 does not answer reads", 0.5, False)],
        ),
        (
            {"devices": (GOOD.devices[0], replace(SICK, answers=False))},
            [("device", "/d1", "device /d1: read: Input/output error", 1.0, False)],
        ),
        (
            {"devices": (DeviceReading("/d0", "", GIB, read_only="mount it again", errors=2),)},
            [
                ("device-read-only", "/d0", "device /d0 serves, but takes nothing new: mount it again", 1.0, False),
                (
                    "device-errors",
                    "/d0",
                    "device /d0: reads of 2 assets failed within an hour; see the kernel log",
                    1.0,
                    False,
                ),
            ],
        ),
        (
            {"devices": (DeviceReading("/d0", "", 64 * 2**20 - 1),)},
            [
                (
                    "device-full",
                    "/d0",
                    "device /d0: 64.0 MiB free, at least 64.0 MiB wanted; remove what is not ours",
                    1.0,
                    False,
                )
            ],
        ),
        (
            {"devices": (DeviceReading("/d0", "", GIB, read_s=0.25),)},
            [("device-slow", "/d0", "device /d0: a read takes 250 ms in the mean, limit 200 ms", 0.5, False)],
        ),
        ({"links": (GOOD.links[0], DARK)}, [("link", "eth1", "link eth1: no carrier", 1.0, False)]),
        (
            {"links": (DARK,)},
            [
                ("link", "", "no link of a delivery address is up", 0.0, True),
                ("link", "eth1", "link eth1: no carrier", 1.0, False),
            ],
        ),
        ({"links": ()}, []),
        (
            {"links": (LinkReading("eth0", up=True, why="", use_ratio=0.98, error_ratio=0.002),)},
            [
                ("link-full", "eth0", "link eth0: 98% of its speed is used, limit 97%", 1.0, False),
                (
                    "link-errors",
                    "eth0",
                    "link eth0: 0.200% of its packets are errors, limit 0.100%; see the cable",
                    0.5,
                    False,
                ),
            ],
        ),
        ({"errors": 11}, [("errors", "", "11 of the last 1000 requests failed on our side, limit 1.00%", 0.5, False)]),
        ({"requests": 99, "errors": 99}, []),
        (
            {"first_byte_p99_s": 2.5},
            [("first-byte", "", "one first byte in a hundred takes 2.5 s or longer, limit 1 s", 0.5, False)],
        ),
        ({"first_byte_p99_s": None, "clock_ahead_s": None, "certificates_left_s": {}}, []),
        (
            {"overload": "9 responses are on their way, limit 8"},
            [("overload", "", "new viewers are turned away: 9 responses are on their way, limit 8", 0.5, False)],
        ),
        ({"cpu_ratio": 0.96}, [("cpu", "", "CPU 96% busy, limit 95%", 1.0, False)]),
        (
            {"memory_available_ratio": 0.04},
            [("memory", "", "4% of memory available, at least 5% wanted", 0.5, False)],
        ),
        (
            {"clock_ahead_s": 3600.0},
            [("clock", "", "clock is 3600.0 s ahead of steering's, limit 5 s; see its time service", 1.0, False)],
        ),
        (
            {"clock_ahead_s": -6.0},
            [("clock", "", "clock is 6.0 s behind steering's, limit 5 s; see its time service", 1.0, False)],
        ),
        (
            {"certificates_left_s": {"/c.pem": 86400.0, "/d.pem": -3600.0}},
            [
                ("certificate", "/c.pem", "certificate /c.pem ends in 1 d 0 h; renew it", 1.0, False),
                (
                    "certificate",
                    "/d.pem",
                    "certificate /d.pem ended 1 h 0 min ago, players refuse it; renew it",
                    0.5,
                    False,
                ),
            ],
        ),
    ],
)
def test_signs_name_what_is_amiss(changes: dict[str, Any], found: list[tuple[str, str, str, float, bool]]) -> None:
    bad = amiss(replace(GOOD, **changes))
    assert [(sign.kind, sign.of, sign.said, sign.weight, sign.fails) for sign in bad] == found
    assert {sign.side for sign in bad} <= {"bad"}


@pytest.mark.parametrize(
    "changes",
    [
        {"errors": 10},
        {"cpu_ratio": 0.95},
        {"memory_available_ratio": 0.05},
        {"first_byte_p99_s": 1.0},
        {"clock_ahead_s": 5.0},
        {"certificates_left_s": {"/c.pem": 7 * 86400.0}},
        {"restarts": 2},
        {"devices": (DeviceReading("/d0", "", 64 * 2**20),)},
    ],
)
def test_signs_lie_between_at_every_limit_to_enter_at(changes: dict[str, Any]) -> None:
    assert [sign.side for sign in amiss(replace(GOOD, **changes))] == ["between"]
