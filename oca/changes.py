"""What a settings file changes for a running appliance: what is taken up at once and what waits. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Generic, TypeVar

from msgspec import Struct, structs

Settings = TypeVar("Settings", bound=Struct)

WAITING = ("appliance", "store", "admin", "steering", "routes", "tracing", "delivery.workers")
"""Who the appliance is, what it holds and whom it talks to stay for one run; so do its sockets (``….listen``)."""


class Changes(Struct, Generic[Settings], frozen=True):
    """``settings`` are those to run with from now on: as the file has them, but for what is ``waiting``."""

    settings: Settings
    taken: tuple[str, ...]
    waiting: tuple[str, ...]


def compare(running: Settings, wanted: Settings) -> Changes[Settings]:
    """Sort what differs between the settings that run and those that a file now says, by dotted key."""
    differing = list(_differing(running, wanted, ""))
    waiting = tuple(key for key in differing if _waits(key))
    return Changes(
        settings=_merge(running, wanted, ""),
        taken=tuple(key for key in differing if key not in waiting),
        waiting=waiting,
    )


def taken_up(key: str) -> str:
    """When a running appliance takes up a changed ``table.key``."""
    return "after 'oca upgrade' or a restart" if _waits(key) else "after 'oca reload'"


def _waits(key: str) -> bool:
    return key.endswith(".listen") or any(key == name or key.startswith(f"{name}.") for name in WAITING)


def _differing(running: Any, wanted: Any, prefix: str) -> Iterator[str]:
    for field in running.__struct_fields__:
        before, after = getattr(running, field), getattr(wanted, field)
        if isinstance(before, Struct):
            yield from _differing(before, after, f"{prefix}{field}.")
        elif before != after:
            yield f"{prefix}{field}"


def _merge(running: Any, wanted: Any, prefix: str) -> Any:
    """``wanted``, with what waits as it is in ``running``."""
    fields = {}
    for field in running.__struct_fields__:
        before, after = getattr(running, field), getattr(wanted, field)
        if isinstance(before, Struct):
            fields[field] = _merge(before, after, f"{prefix}{field}.")
        else:
            fields[field] = before if _waits(f"{prefix}{field}") else after
    return structs.replace(wanted, **fields)
