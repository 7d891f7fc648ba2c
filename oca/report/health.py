"""The appliance's judgement of itself: a verdict, the share of viewers it can take, and why. Pure.

What steering makes of a verdict is steering's business. What each reason means, and what to do: docs/health.md.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from msgspec import structs

from oca.common.messages import Health, Verdict
from oca.common.units import format_duration
from oca.report.health_settings import HealthTable
from oca.report.hysteresis import Damper
from oca.report.readings import Readings
from oca.report.signs import Kind, Sign, signs

REASONS_MAX = 50
REASON_CHARACTERS_MAX = 400


class Judged(NamedTuple):
    """A verdict, and the kinds of its reasons, for metrics."""

    health: Health
    kinds: frozenset[Kind]


class Judge:
    """Judges again and again, and remembers since when each thing has been amiss or well."""

    def __init__(self, limits: HealthTable) -> None:
        self.limits = limits
        """May be replaced at any time; what counts already keeps the times it began with."""
        self._dampers: dict[tuple[Kind, str], Damper] = {}
        self._last: dict[tuple[Kind, str], Sign] = {}

    def judge(self, readings: Readings, now: float) -> Judged:
        """The verdict with its reasons, gravest first; ``now`` on a clock that never steps.

        ``failed``: viewers cannot be served from here. ``degraded``: they can, but something wants an operator; the
        weight is the lowest of all that counts.
        """
        seen = {(sign.kind, sign.of): sign for sign in signs(readings, self.limits)}
        counting: list[tuple[Sign, str]] = []
        for key in [*seen, *(known for known in self._dampers if known not in seen)]:
            sign = seen.get(key)
            damper = self._dampers.get(key)
            if damper is None:
                if sign is None or sign.side != "bad":
                    continue
                damper = self._dampers[key] = self._damper(sign)
            if damper.observe(now, sign.side if sign is not None else "good"):
                counting.append(self._told(key, sign, damper, now))
            elif damper.is_forgettable(now):
                del self._dampers[key]
                self._last.pop(key, None)
        counting.sort(key=lambda one: not one[0].fails)
        verdict: Verdict = "ok" if not counting else "failed" if counting[0][0].fails else "degraded"
        weight = min((sign.weight for sign, _ in counting), default=1.0)
        health = Health(verdict=verdict, reasons=_bounded(said for _, said in counting), weight=round(weight, 3))
        return Judged(health, frozenset(sign.kind for sign, _ in counting))

    def _damper(self, sign: Sign) -> Damper:
        limits = self.limits
        if sign.is_fault:
            return Damper(hold_s=0.0, release_s=limits.fault_release_s, release_s_max=limits.release_s)
        return Damper(hold_s=limits.hold_s, release_s=limits.release_s, release_s_max=limits.release_s_max)

    def _told(self, key: tuple[Kind, str], sign: Sign | None, damper: Damper, now: float) -> tuple[Sign, str]:
        """What counts, in the words of when it was bad last."""
        if sign is not None and sign.side == "bad":
            self._last[key] = sign
            return sign, sign.said
        last = self._last[key]
        left_s = damper.release_s - damper.good_s(now)
        return last, f"{last.said} (not at this moment; counts until it was well for {format_duration(left_s)} more)"


def explained(health: Health, reason: str) -> Health:
    """The same with ``reason`` before its own; its verdict stays."""
    return structs.replace(health, reasons=[reason, *health.reasons][:REASONS_MAX])


def _bounded(reasons: Iterable[str]) -> list[str]:
    shown = [reason[:REASON_CHARACTERS_MAX] for reason in reasons]
    if len(shown) > REASONS_MAX:
        shown = [*shown[: REASONS_MAX - 1], f"and {len(shown) - REASONS_MAX + 1} more"]
    return shown
