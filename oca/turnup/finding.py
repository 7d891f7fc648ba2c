"""What one check of a box found, and how all of them read on a terminal. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from oca.common.messages import Message

State = Literal["pass", "warn", "fail"]


class Finding(Message, frozen=True):
    """One check: ``name`` says of what, ``why`` what was found, ``mend`` what to run or do; empty where all is well."""

    name: str
    state: State
    why: str
    mend: str = ""


class CheckReport(Message, frozen=True):
    """All findings, and whether the box may be given viewers: nothing failed."""

    ready: bool
    findings: list[Finding]


def report(findings: Sequence[Finding]) -> CheckReport:
    """All of them with their verdict."""
    return CheckReport(ready=all(one.state != "fail" for one in findings), findings=list(findings))


def report_lines(checked: CheckReport) -> Iterator[str]:
    """A line for each check, under it the command that mends it; the verdict last."""
    width = max((len(one.name) for one in checked.findings), default=0)
    for one in checked.findings:
        yield f"{one.state:<4}  {one.name:<{width}}  {one.why}"
        if one.mend:
            yield f"{'':<4}  {'':<{width}}  → {one.mend}"
    counts = {state: sum(one.state == state for one in checked.findings) for state in ("pass", "warn", "fail")}
    told = ", ".join(f"{count} {state}" for state, count in counts.items() if count) or "nothing checked"
    yield f"{told}: {'ready for viewers' if checked.ready else 'NOT ready: mend what failed first'}"
