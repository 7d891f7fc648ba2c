"""Structured logs: fields in systemd's journal, JSON lines for other machines, short coloured lines on a terminal."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import sys
from collections import deque
from collections.abc import MutableMapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec import Meta

from oca.common.journal import datagram
from oca.common.settings import Table

# structlog takes rich for tracebacks on a terminal, and with it 80 modules, a fifth of a worker's start; Python's do.
_rich = sys.modules.get("rich")
sys.modules["rich"] = None  # type: ignore[assignment]  # it counts as not installed
import structlog  # noqa: E402

if _rich is None:
    del sys.modules["rich"]
else:
    sys.modules["rich"] = _rich

LogFormat = Literal["auto", "json", "text", "journal"]
LogLevel = Literal["debug", "info", "warning", "error"]
JOURNAL = "/run/systemd/journal/socket"
RECENT_MAX = 20
RECENT_CHARACTERS_MAX = 400
_HEAD = ("at", "level", "part", "event", "exc_info", "appliance")
_recent: deque[str] = deque(maxlen=RECENT_MAX)


class LogTable(Table, frozen=True):
    """What is logged, to the journal or to standard error."""

    level: Annotated[LogLevel, Meta(description="Least grave line that is written.")] = "info"
    format: Annotated[
        LogFormat,
        Meta(
            description="Form of the log. journal: lines with their fields, levels and message ids, to systemd's "
            "journal; json: a line of JSON each; text: for people. auto: journal under systemd, text on a terminal, "
            "json elsewhere."
        ),
    ] = "auto"


class _Writer(structlog.WriteLogger):
    """Writes lines to standard error, and goes without where it cannot: a full disk or closed pipe ends no service."""

    def msg(self, message: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            super().msg(message)

    log = debug = info = warn = warning = error = exception = critical = fatal = failure = msg


class _Journal:
    """Sends lines to the journal; one that it does not take goes to standard error, as JSON."""

    def __init__(self) -> None:
        name = Path(sys.argv[0]).stem
        self._identifier = name if name.startswith("oca") else "oca"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._socket.setblocking(False)  # a journal that hangs must not hold the daemon up

    def msg(self, **line: Any) -> None:
        try:
            self._socket.sendto(datagram(line, self._identifier), JOURNAL)
        except OSError:
            _Writer(sys.stderr).msg(str(structlog.processors.JSONRenderer()(None, "", line)))

    log = debug = info = warn = warning = error = exception = critical = fatal = failure = msg


def configure_logging(*, level: LogLevel = "info", style: LogFormat = "auto", **fields: Any) -> None:
    """Set up logging for this process: to the journal or to standard error, with ``fields`` on every line."""
    form = _form(style)
    renderers: dict[str, Any] = {
        "text": structlog.dev.ConsoleRenderer(),
        "json": structlog.processors.JSONRenderer(),
        "journal": _as_arguments,
    }
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
            _remember,
            *([] if form == "text" else [structlog.processors.format_exc_info]),
            renderers[form],
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        # looked up anew: standard error may be replaced
        logger_factory=_journal if form == "journal" else lambda *_: _Writer(sys.stderr),
        cache_logger_on_first_use=False,
    )
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(**fields)


def _form(style: LogFormat) -> Literal["json", "text", "journal"]:
    if style != "auto":
        return style
    if _stderr_is_journal():
        return "journal"
    return "text" if sys.stderr.isatty() else "json"


def _stderr_is_journal() -> bool:
    """Whether systemd has connected standard error to the journal (``JOURNAL_STREAM``, systemd.exec(5))."""
    try:
        found = os.fstat(sys.stderr.fileno())
    except (OSError, ValueError, AttributeError):
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"


@cache
def _journal(*_: Any) -> _Journal:
    return _Journal()


def _as_arguments(_logger: Any, _name: str, line: MutableMapping[str, Any]) -> tuple[tuple[()], dict[str, Any]]:
    return (), dict(line)


def recent_lines() -> list[str]:
    """The last lines of this process that were out of order, the oldest first: time, level, part, what."""
    return list(_recent)


def _remember(_logger: Any, _name: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    if line["level"] in ("warning", "error", "critical"):
        rest = (f"{key}={value}" for key, value in line.items() if key not in _HEAD)
        said = " ".join([f"{line['at'][:19]}Z {line['level']} {line.get('part', '')}: {line['event']}", *rest])
        _recent.append(said.splitlines()[0][:RECENT_CHARACTERS_MAX])
    return line


def get_logger(part: str) -> Any:
    """A logger whose lines carry ``part``, the component that speaks."""
    return structlog.get_logger(part=part)
