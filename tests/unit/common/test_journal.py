from __future__ import annotations

import pytest

from oca.common.journal import FIELDS_MAX, PRIORITIES, VALUE_BYTES_MAX, datagram, message_id


def fields_of(raw: bytes) -> dict[str, str]:
    """What the journal reads from a datagram."""
    found = {}
    while raw:
        head, _, rest = raw.partition(b"\n")
        name, equals, value = head.partition(b"=")
        if not equals:
            length = int.from_bytes(rest[:8], "little")
            value, rest = rest[8 : 8 + length], rest[8 + length :]
            assert rest[:1] == b"\n"
            rest = rest[1:]
        found[name.decode()] = value.decode()
        raw = rest
    return found


def test_journal_carries_level_id_and_fields() -> None:
    line = {
        "event": "health changed",
        "level": "warning",
        "part": "daemon",
        "at": "2026-11-26T08:00:00Z",
        "reasons": ["/d0 is full", "eth1 is down"],
        "after-s": 0.5,
    }
    assert fields_of(datagram(line, "oca")) == {
        "MESSAGE": "daemon: health changed reasons=/d0 is full,eth1 is down after-s=0.5",
        "PRIORITY": "4",
        "MESSAGE_ID": message_id("daemon", "health changed"),
        "SYSLOG_IDENTIFIER": "oca",
        "OCA_PART": "daemon",
        "OCA_EVENT": "health changed",
        "OCA_REASONS": "/d0 is full,eth1 is down",
        "OCA_AFTER_S": "0.5",
    }


@pytest.mark.parametrize(("level", "priority"), [*PRIORITIES.items(), ("unheard of", 6)])
def test_journal_knows_level(level: str, priority: int) -> None:
    assert fields_of(datagram({"event": "x", "level": level}, "oca"))["PRIORITY"] == str(priority)


def test_journal_keeps_lines_of_traceback_together() -> None:
    told = fields_of(datagram({"event": "failed", "part": "tasks", "exception": "Traceback\n  ValueError: x"}, "oca"))
    assert told["OCA_EXCEPTION"] == "Traceback\n  ValueError: x"
    assert told["MESSAGE"] == "tasks: failed\nTraceback\n  ValueError: x"


def test_journal_cannot_be_given_foreign_fields() -> None:
    told = fields_of(datagram({"event": "a\nPRIORITY=0", "part": "p", "x\ny=z": "v\n_UID=0"}, "oca"))
    assert set(told) == {
        *("MESSAGE", "PRIORITY", "MESSAGE_ID", "SYSLOG_IDENTIFIER", "OCA_PART", "OCA_EVENT", "OCA_X_Y_Z")
    }
    assert told["PRIORITY"] == "6"


def test_journal_bounds_what_one_line_takes() -> None:
    raw = datagram({"event": "e", **{f"k{number}": "v" * 100_000 for number in range(100)}}, "oca")
    assert len(raw) < (FIELDS_MAX + 2) * (VALUE_BYTES_MAX + 100)


def test_journal_ids_tell_kinds_of_lines_apart() -> None:
    assert message_id("daemon", "serving") == "ef87e3f3730454f625d5bd524305b994"
    assert len({message_id("daemon", "serving"), message_id("steering", "serving"), message_id("daemon", "x")}) == 3
