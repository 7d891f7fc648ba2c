"""How long an appliance that comes back has to stay before it takes viewers again: the first time in a day not at all.

Each further time four times as long, so that one whose reports or probes come and go is out, not in and out all day
(route flap damping, RFC 2439). Pure: instants come in.
"""

from __future__ import annotations

from typing import NamedTuple

from oca.common.damping import DAY_S, damped_s

SETTLE_S_MAX = 4 * 3600.0


class Absences(NamedTuple):
    """How often an appliance has been away of late.

    Attributes:
        times: Absences, each within a day of the one before; those while it was settling are no new ones.
        back_at_s: When it came back last.
        settled_at_s: From when on it takes viewers, if it stays.
    """

    times: int = 0
    back_at_s: float = float("-inf")
    settled_at_s: float = float("-inf")


NEVER_AWAY = Absences()


def come_back(before: Absences, gone_at_s: float, now: float, *, settle_s: float) -> Absences:
    """What holds of an appliance that is back.

    Args:
        before: What held until now.
        gone_at_s: When it went.
        now: The time.
        settle_s: How long it has to stay the second time; 0: it always counts at once.
    """
    is_new = now - before.back_at_s > DAY_S
    times = 1 if is_new else before.times + (gone_at_s >= before.settled_at_s)
    wait_s = damped_s(settle_s, times - 2, most_s=SETTLE_S_MAX) if times > 1 else 0.0
    return Absences(times, now, now + wait_s)
