"""Which appliances are out, by what all observers say: optimistic, so that it takes enough of them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from steering.probing.observations import Statement

NAMED_MAX = 5


class Quorum(NamedTuple):
    """``out``: appliances that enough observers vote against, each with who and why; ``voters`` in order."""

    out: Mapping[str, str]
    voters: tuple[str, ...]


def combine(statements: Mapping[str, Statement], *, agree_ratio: float) -> Quorum:
    """Count the votes.

    Args:
        statements: What each observer said last, by its name; whoever has fallen silent is not among them.
        agree_ratio: An appliance is out when more than this share of those that vote are against it.
    """
    voters = tuple(sorted(name for name, said in statements.items() if not said.abstains))
    against: dict[str, list[str]] = {}
    for voter in voters:
        for appliance in statements[voter].failing:
            against.setdefault(appliance, []).append(voter)
    out = {
        appliance: _why(appliance, names, statements, len(voters))
        for appliance, names in against.items()
        if len(names) > len(voters) * agree_ratio
    }
    return Quorum(out, voters)


def _why(appliance: str, against: list[str], statements: Mapping[str, Statement], voters: int) -> str:
    named = [f"{name}: {statements[name].failing[appliance]}" for name in against[:NAMED_MAX]]
    more = [f"{len(against) - NAMED_MAX} more"] if len(against) > NAMED_MAX else []
    many = f"{len(against)} of {voters} observers" if voters > 1 else "probes"
    return f"{many} cannot fetch from it ({'; '.join(named + more)})"
