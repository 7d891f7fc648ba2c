from __future__ import annotations

from oca.turnup.finding import Finding, report, report_lines

GOOD = Finding(name="clock", state="pass", why="kept")
POOR = Finding(name="link eth0", state="warn", why="MTU 1280", mend="ip link set eth0 mtu 1500")
BAD = Finding(name="steering", state="fail", why="cannot be reached", mend="curl -v http://s.example/health")


def test_finding_report_is_ready_with_warnings() -> None:
    assert list(report_lines(report([GOOD, POOR]))) == [
        "pass  clock      kept",
        "warn  link eth0  MTU 1280",
        "                 → ip link set eth0 mtu 1500",
        "1 pass, 1 warn: ready for viewers",
    ]


def test_finding_report_is_not_ready_with_failure() -> None:
    told = report([GOOD, BAD])
    assert not told.ready
    assert list(report_lines(told))[-1] == "1 pass, 1 fail: NOT ready: mend what failed first"


def test_finding_report_says_nothing_of_nothing() -> None:
    assert list(report_lines(report([]))) == ["nothing checked: ready for viewers"]
