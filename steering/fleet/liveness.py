"""Whether an appliance may take new viewers, and why. Every verdict carries its reason to the operator."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple, final

from mypy_extensions import mypyc_attr

from oca.common.messages import Report
from oca.common.standing import Standing
from oca.common.units import format_duration
from steering.fleet.absences import Absences

CLOCK_DIFFERENCE_S_MAX = 30.0
"""Far above what a report spends on its way; demand is dated by the appliance's clock."""
FIRST_REPORTS_S_MAX = 6.0
AGES_KEPT = 1024


class Liveness(NamedTuple):
    """A verdict: ``standing`` tells machines, ``why`` people; ``weight``: the share of its viewers to send there."""

    standing: Standing
    weight: float
    why: str

    @property
    def takes_viewers(self) -> bool:
        """Whether new viewers may be sent there."""
        return self.standing == "up"


@final
@mypyc_attr(acyclic=True)
class Heard:
    """When an appliance was last heard, on a clock that never steps, and how old that may become.

    Kept up as it is heard again: of one that is as well as before nothing else is made anew.
    """

    __slots__ = ("at_s", "limit_s")

    def __init__(self, at_s: float, limit_s: float) -> None:
        self.at_s, self.limit_s = at_s, limit_s

    def why(self, now_s: float) -> str:
        """In words, as ``judge`` has it."""
        return _age(now_s - self.at_s, self.limit_s)


NEVER_REPORTED = Liveness("unknown", 0.0, "no report yet since steering started")


class Beside(NamedTuple):
    """What steering knows of an appliance beside its report, each in words; empty where there is nothing.

    Attributes:
        drained: Who drained it from steering, and until when.
        unreachable: Who cannot fetch from it.
        turning_up: What it has yet to pass before its first viewer.
        returning: Why it has yet to stay before it takes viewers again.
    """

    drained: str = ""
    unreachable: str = ""
    turning_up: str = ""
    returning: str = ""


NOTHING_BESIDE = Beside()


def judge(report: Report, age_s: float, limit_s: float, beside: Beside = NOTHING_BESIDE) -> Liveness:
    """Judge an appliance by its last report, ``age_s`` seconds old, against the age limit, and what else is known."""
    if age_s > limit_s:
        return Liveness("gone", 0.0, f"last report {age_s:.1f} s old, limit {limit_s:.1f} s")
    if report.serving != "serving":
        return Liveness(report.serving, 0.0, f"{report.serving}: no new viewers")
    if beside.drained:
        return Liveness("draining" if report.load.connections else "drained", 0.0, beside.drained)
    if report.health.verdict == "failed":
        return Liveness("failed", 0.0, f"its own verdict is failed: {_reasons(report)}")
    if beside.unreachable:
        return Liveness("unreachable", 0.0, beside.unreachable)
    if beside.returning:
        return Liveness("returning", 0.0, f"{beside.returning}; report {age_s:.1f} s old")
    if beside.turning_up:
        return Liveness("turning-up", 0.0, f"turning up: {beside.turning_up}")
    why = _age(age_s, limit_s)
    if report.health.verdict == "degraded":
        return Liveness("up", report.health.weight, f"degraded: {_reasons(report)}; {why}")
    return Liveness("up", 1.0, why)


def clock_fault(report: Report, received_at_ns: int) -> str:
    """How far an appliance's clock is from ours, in words; empty within the limit."""
    ahead_s = (report.sent_at_ns - received_at_ns) / 1e9
    if abs(ahead_s) <= CLOCK_DIFFERENCE_S_MAX:
        return ""
    side = "ahead of" if ahead_s > 0 else "behind"
    limit = f"limit {CLOCK_DIFFERENCE_S_MAX:.0f} s"
    return f"its clock is {abs(ahead_s):.0f} s {side} steering's, {limit}; check both machines' time service"


def returning(absences: Absences, now: float) -> str:
    """Why an appliance that is back takes no viewers yet, in words; empty: it does."""
    left_s = absences.settled_at_s - now
    if left_s <= 0:
        return ""
    return f"was away {absences.times} times within a day: viewers come if it stays for {format_duration(left_s)} more"


def report_age_limit_s(interval_s: float, missed_max: int, grace_s: float) -> float:
    """The age of a last report up to which an appliance counts as there."""
    return interval_s * missed_max + grace_s


def first_reports_limit_s(interval_s: float, grace_s: float) -> float:
    """How long after a start the first viewers wait at most for appliances to report: each does so once meanwhile.

    Never longer than players wait for a manifest; appliances that found steering away ask again within 5 s.
    """
    return min(interval_s + grace_s, FIRST_REPORTS_S_MAX)


def first_reports_wait_s(unheard: int, age_s: float, limit_s: float) -> float:
    """How long viewers are still to wait, ``age_s`` after a start, for ``unheard`` appliances; 0: no longer."""
    return max(0.0, limit_s - age_s) if unheard else 0.0


def _age(age_s: float, limit_s: float) -> str:
    return _told_age(int(age_s * 10 + 0.5), limit_s)


@lru_cache(AGES_KEPT)
def _told_age(tenths: int, limit_s: float) -> str:
    """Told of four boxes in each answer, and of some fifty ages."""
    return f"report {tenths / 10:.1f} s old, limit {limit_s:.1f} s"


def _reasons(report: Report) -> str:
    return ", ".join(report.health.reasons) or "no reason given"
