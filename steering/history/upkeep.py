"""What the history needs each hour: hours put into files, days made one file, damage set aside, the old removed."""

from __future__ import annotations

import tempfile
from pathlib import Path

from oca.common.log import get_logger
from steering.history import files, log
from steering.history.engine import DuckDb
from steering.history.settings import history_folder
from steering.settings import SteeringSettings
from steering.state.store import StateStore

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
    with tempfile.TemporaryDirectory(prefix=files.SCRATCH, dir=folder) as scratch:
        local = DuckDb(Path(scratch), memory_bytes_max=settings.history.memory_bytes_max)
        while log.flush(state, folder, local, now_ns=now_ns):
            pass
        days = log.compact(state, folder, local, now_ns=now_ns)
    removed = log.sweep(state, folder, now_ns=now_ns)
    if days or removed:
        _log.info("history kept up", days_compacted=days, files_removed=removed)
    oldest = today - settings.plan.history_days
    unread = [each.why for each in faults if not each.is_damaged and each.of.day >= oldest]
    return [*log.aside(state, first=oldest), *unread]
