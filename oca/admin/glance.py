"""How fills and routes stand on the box, as ``/v1/status`` tells and ``oca status`` shows. Pure."""

from __future__ import annotations

from typing import Literal

from oca.common.messages import Message
from oca.common.units import format_bytes, format_duration, format_instant
from oca.store.fill_record import FillRecord, is_running


class FillStatus(Message, frozen=True):
    """The last fill, or the one that runs. Times are nanoseconds since 1970.

    Attributes:
        state: ``none`` yet; ``running``; ``broken`` off, by a kill, say: the next run goes on there; ``done``;
            ``incomplete``: some assets failed, or the window closed.
        why: What is amiss with it, or why fills are paused.
        paused: Whether fills are paused; ``paused_until_ns`` is 0 where that is until an operator resumes them.
    """

    state: Literal["none", "running", "broken", "done", "incomplete"] = "none"
    why: str = ""
    paused: bool = False
    paused_until_ns: int = 0
    updated_at_ns: int = 0
    bytes_total: int = 0
    bytes_done: int = 0
    assets_total: int = 0
    assets_done: int = 0
    assets_failed: int = 0
    assets_evicted: int = 0


class RoutesStatus(Message, frozen=True):
    """What is heard, in figures; ``why`` says what is amiss."""

    routes: int
    kept: int
    sessions: int
    sessions_established: int
    why: str = ""


def fill_status(record: FillRecord | None, now_ns: int) -> FillStatus | None:
    """From what the agent has written down; None while that is not known."""
    if record is None:
        return None
    progress, pause = record.progress, record.pause
    paused = pause is not None and pause.holds(now_ns)
    until_ns = pause.until_ns if pause is not None and paused else 0
    pause_why = pause.why if pause is not None and paused else ""
    if progress is None:
        return FillStatus(paused=paused, paused_until_ns=until_ns, why=pause_why)
    state: Literal["running", "broken", "done", "incomplete"]
    state = "broken" if progress.state == "running" and not is_running(progress, now_ns) else progress.state
    return FillStatus(
        state=state,
        why=pause_why or progress.reason,
        paused=paused,
        paused_until_ns=until_ns,
        updated_at_ns=progress.updated_at_ns,
        bytes_total=progress.bytes_total,
        bytes_done=progress.bytes_done,
        assets_total=progress.assets_total,
        assets_done=progress.assets_done,
        assets_failed=progress.assets_failed,
        assets_evicted=progress.assets_evicted,
    )


def fill_text(fill: FillStatus, now_ns: int) -> str:
    """For a person, in a line."""
    parts = [_last(fill, now_ns)]
    if fill.paused:
        until = f"until {format_instant(fill.paused_until_ns)}" if fill.paused_until_ns else "until 'oca-fill resume'"
        parts.insert(0, f"PAUSED {until}")
    if fill.why:
        parts.append(fill.why)
    return "; ".join(parts)


def routes_text(routes: RoutesStatus) -> str:
    """For a person, in a line."""
    kept = f", {routes.kept} kept of sessions that are down" if routes.kept else ""
    up = f"{routes.sessions_established} of {routes.sessions} sessions established"
    return f"{routes.routes} by BGP, {up}{kept}" + (f"; {routes.why}" if routes.why else "")


def _last(fill: FillStatus, now_ns: int) -> str:
    if fill.state == "none":
        return "none yet: 'oca-fill run', or its timer"
    share = f" ({fill.bytes_done / fill.bytes_total:.0%})" if fill.bytes_total else ""
    loaded = f"{format_bytes(fill.bytes_done)} of {format_bytes(fill.bytes_total)}{share}"
    assets = f"{fill.assets_done} of {fill.assets_total} assets"
    failed = f", {fill.assets_failed} FAILED" if fill.assets_failed else ""
    evicted = f", {fill.assets_evicted} evicted" if fill.assets_evicted else ""
    ago = f"{format_duration(max(0, now_ns - fill.updated_at_ns) / 1e9)} ago"
    when = {"running": "running", "broken": f"broke off {ago}, the next goes on"}.get(fill.state, f"{fill.state} {ago}")
    return f"{when}: {loaded}, {assets}{failed}{evicted}"
