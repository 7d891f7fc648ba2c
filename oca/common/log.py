"""Structured logs: JSON lines where a machine reads, short coloured lines on a terminal."""

from __future__ import annotations

import contextlib
import logging
import sys
from typing import Annotated, Any, Literal

import structlog
from msgspec import Meta

from oca.common.settings import Table

LogFormat = Literal["auto", "json", "text"]
LogLevel = Literal["debug", "info", "warning", "error"]


class LogTable(Table, frozen=True):
    """What is logged, to standard error."""

    level: Annotated[LogLevel, Meta(description="Least grave line that is written.")] = "info"
    format: Annotated[
        LogFormat, Meta(description="JSON lines for a journal, text for people; auto: text on a terminal.")
    ] = "auto"


class _Writer(structlog.WriteLogger):
    """Writes lines to standard error, and goes without where it cannot: a full disk or closed pipe ends no service."""

    def msg(self, message: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            super().msg(message)

    log = debug = info = warn = warning = error = exception = critical = fatal = failure = msg


def configure_logging(*, level: LogLevel = "info", style: LogFormat = "auto", **fields: Any) -> None:
    """Set up logging for this process: to standard error, with ``fields`` on every line."""
    text = style == "text" or (style == "auto" and sys.stderr.isatty())
    renderer: Any = structlog.dev.ConsoleRenderer() if text else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
            *([] if text else [structlog.processors.format_exc_info]),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=lambda *_: _Writer(sys.stderr),  # looked up anew: it may be replaced
        cache_logger_on_first_use=False,
    )
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(**fields)


def get_logger(part: str) -> Any:
    """A logger whose lines carry ``part``, the component that speaks."""
    return structlog.get_logger(part=part)
