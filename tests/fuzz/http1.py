"""Coverage-guided fuzzing of oca/http1, which `make fuzz` runs: ``python -m tests.fuzz.http1 [options] [corpus]``.

The first byte chooses the check, the rest feeds it. A finding is an AssertionError, or any error but RequestError.
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["oca.http1", "oca.delivery.usual"]):
    from oca.http1.request import Fields
    from tests.fuzz.properties import check_conditions, check_date, check_ranges, check_stream, check_target

from tests.fuzz.fragments import assembled

_CONDITIONS = ("if_match", "if_none_match", "if_modified_since", "if_unmodified_since", "if_range")


def check(data: bytes) -> None:
    """One execution."""
    kind, rest = data[:1], data[1:]
    if kind == b"r":
        check_ranges(b"bytes=" + rest[2:], int.from_bytes(rest[:2], "big"))
    elif kind == b"R":
        check_ranges(rest[2:], int.from_bytes(rest[:2], "big"))
    elif kind == b"d":
        check_date(rest)
    elif kind == b"c":
        values = rest.split(b"\n")
        given = {name: value for name, value in zip(_CONDITIONS, values, strict=False) if value}
        check_conditions(Fields(plain=not given, **given))  # type: ignore[arg-type]
    elif kind == b"t":
        check_target(rest, "OPTIONS" if rest[:1] == b"*" else "GET")
    else:
        stream = assembled(rest[8:]) if kind == b"g" else rest[8:]
        check_stream(stream, [8 * cut for cut in rest[:8]])


def main() -> None:
    """Fuzz until libFuzzer's options say to stop."""
    atheris.Setup(sys.argv, check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
