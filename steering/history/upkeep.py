"""What the history needs each hour: hours put into files, days made one file, damage set aside, the old removed."""

from __future__ import annotations

from pathlib import Path
from threading import Lock

from oca.common.log import get_logger
from steering.history import files, log
from steering.history.engine import DuckDb
from steering.history.settings import history_folder
from steering.settings import SteeringSettings
from steering.state.store import StateStore

_ALL_NS = 2**62
"""Long after any hour."""
CONFLICTS_MAX = 3
"""How often another process may come first, before putting hours away is left to it."""
_one_at_a_time = Lock()
"""Of a process: what was begun goes on in its thread when the service ends, and may take long."""
_log = get_logger("history")


def keep_up(state: StateStore, settings: SteeringSettings, *, now_ns: int) -> list[str]:
    """Do all of it. What is damaged is named in the log, and by ``oca-steering history``.

    Returns:
        What is set aside or cannot be read of the days that plans look back, a line each.

    Raises:
        SteeringError: The folder cannot be written, or the state; or it is not the one with the files.
    """
    where = history_folder(settings)
    if where is None:
        return []
    folder = Path(where)
    log.refuse_absent(state, folder)
    files.make_folder(folder)
    today = now_ns // log.DAY_NS
    faults = log.set_aside(state, folder, first=today - settings.history.keep_days)
    for each in faults:
        what = "is set aside" if each.is_damaged else "cannot be read now"
        _log.error(f"a file of the history {what}; plans go on without it", why=each.why)
    with _one_at_a_time, files.scratch(folder) as scratch:
        local = DuckDb(scratch, memory_bytes_max=settings.history.memory_bytes_max)
        while log.flush(state, folder, local, now_ns=now_ns):
            pass
        days = log.compact(state, folder, local, now_ns=now_ns)
    oldest = today - settings.plan.history_days
    removed = log.sweep(state, folder, now_ns=now_ns, columns_since=oldest)
    if days or removed:
        _log.info("history kept up", days_compacted=days, files_removed=removed)
    unread = [each.why for each in faults if not each.is_damaged and each.of.day >= oldest]
    return [*log.aside(state, first=oldest), *unread]


def put_away(state: StateStore, settings: SteeringSettings) -> str:
    """Put all hours into files, those that still go on too.

    For when the service ends: release 0.1.0 reads no hour from the state, and would not plan beside one.

    Returns:
        Why hours are left, if any are.

    Raises:
        SteeringError: As above; the hours stay in the state.
    """
    where = history_folder(settings)
    if where is None:
        return "history.path names no folder for the files of a shared state"
    folder = Path(where)
    log.refuse_absent(state, folder)
    files.make_folder(folder)
    conflicts = 0
    with _one_at_a_time, files.scratch(folder) as scratch:
        local = DuckDb(scratch, memory_bytes_max=settings.history.memory_bytes_max)
        while conflicts < CONFLICTS_MAX:
            put = log.flush(state, folder, local, now_ns=_ALL_NS)
            if put is None:
                conflicts += 1
            elif put < log.ROWS_PER_FLUSH_MAX:
                return "another instance took them in meanwhile, and puts them away as it ends"
    return f"another process put hours away at the same time, {CONFLICTS_MAX} times"
