"""What a log line is for systemd's journal: its fields, its level and an id by which one kind of line is found.

Pure. The form is that of the journal's native protocol: one datagram a line, ``FIELD=value`` each, a value of several
lines with its length before it (systemd.journal-fields(7)).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

PRIORITIES = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}
"""Levels of ours to those of syslog(3)."""
VALUE_BYTES_MAX = 16_384
FIELDS_MAX = 64
_OWN = ("event", "level", "at", "part")


def message_id(part: str, event: str) -> str:
    """The ``MESSAGE_ID`` of a kind of line, the same in every version that says it: ``journalctl MESSAGE_ID=…``."""
    return hashlib.blake2b(f"{part}/{event}".encode(), digest_size=16).hexdigest()


def datagram(line: Mapping[str, Any], identifier: str) -> bytes:
    """A structured line as the journal takes it.

    Args:
        line: ``event``, ``level`` and whatever else it says; a value longer than ``VALUE_BYTES_MAX`` is cut there.
        identifier: The program, as ``journalctl -t`` finds it.
    """
    part, event, level = (str(line.get(key, "")) for key in ("part", "event", "level"))
    rest = {key: _text(value) for key, value in line.items() if key not in _OWN}
    said = " ".join(f"{key}={value}" for key, value in rest.items() if "\n" not in value)
    blocks = [value for value in rest.values() if "\n" in value]
    fields = {
        "MESSAGE": "\n".join([f"{part}: {event}{' ' if said else ''}{said}", *blocks]),
        "PRIORITY": str(PRIORITIES.get(level, 6)),
        "MESSAGE_ID": message_id(part, event),
        "SYSLOG_IDENTIFIER": identifier,
        "OCA_PART": part,
        "OCA_EVENT": event,
        **{f"OCA_{_name(key)}": value for key, value in list(rest.items())[:FIELDS_MAX]},
    }
    return b"".join(_field(name, value) for name, value in fields.items())


def _name(key: str) -> str:
    return re.sub(r"[^A-Z0-9_]", "_", key.upper())[:56]


def _text(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ",".join(str(each) for each in value)
    return str(value)


def _field(name: str, value: str) -> bytes:
    raw = value.encode(errors="replace")[:VALUE_BYTES_MAX]
    if b"\n" in raw:
        return name.encode() + b"\n" + len(raw).to_bytes(8, "little") + raw + b"\n"
    return name.encode() + b"=" + raw + b"\n"
