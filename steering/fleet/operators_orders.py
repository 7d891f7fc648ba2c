"""What operators order from steering, written with its entry in the audit log: drains, and turning boxes up."""

from __future__ import annotations

from typing import Literal

from oca.common.clock import now_ns
from oca.common.units import format_instant
from steering.fleet.drains import Drain, Scope, end, keep
from steering.fleet.turnup_records import Passed, begin_anew, keep_passed
from steering.state.store import StateStore
from steering.trust.audit import Actor, append


def drain(state: StateStore, actor: Actor, scope: Scope, name: str, *, for_s: int, reason: str) -> Drain:
    """Take an appliance or a site out of service; a drain of the same is replaced.

    Raises:
        SteeringError: The state cannot be written.
    """
    at_ns = now_ns()
    until_ns = at_ns + for_s * 10**9 if for_s else 0
    made = Drain(scope=scope, name=name, who=actor.who, at_ns=at_ns, until_ns=until_ns, reason=reason)
    until = f" until {format_instant(until_ns)}" if until_ns else ""
    with state.write() as transaction:
        keep(transaction, made)
        why = f": {reason}" if reason else ""
        append(transaction, actor, "drain", f"{scope} {name}{until}{why}", now_ns=at_ns)
    return made


def undrain(state: StateStore, actor: Actor, scope: Scope, name: str) -> bool:
    """Put it back; whether it was drained from here.

    Raises:
        SteeringError: The state cannot be written.
    """
    with state.write() as transaction:
        found = end(transaction, scope, name)
        if found:
            append(transaction, actor, "undrain", f"{scope} {name}", now_ns=now_ns())
    return found


def change_turnup(state: StateStore, actor: Actor, appliance: str, action: Literal["accept", "again"]) -> None:
    """Let a new appliance in whatever its checks say, or have it checked anew.

    Raises:
        SteeringError: The state cannot be written.
    """
    at_ns = now_ns()
    with state.write() as transaction:
        if action == "accept":
            keep_passed(transaction, appliance, Passed(at_ns=at_ns, who=f"{actor.who} accepted it"))
        else:
            begin_anew(transaction, appliance)
        append(transaction, actor, f"turn-up {action}", appliance, now_ns=at_ns)
