"""Routes on their way to steering: numbered batches of changes, one in flight, resent unchanged until acknowledged.

Pure. Steering's table is this one less what is pending, so the digest on its side is known without a second table here.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import islice

from oca.common.routes import BATCH_ROUTES_MAX, NOTHING, RouteBatch, RouteGroup
from oca.network.bird_output import HeardRoute, RouteTable

Changes = dict[str, HeardRoute | None]
"""Prefix → what was heard of it before; None: nothing."""


def changes_between(before: RouteTable, after: RouteTable) -> Changes:
    """What differs; routes that are unchanged are the same object in both."""
    changes: Changes = {
        prefix: before.get(prefix) for prefix, route in after.items() if before.get(prefix) is not route
    }
    if len(after) - len(before) != sum(old is None for old in changes.values()):
        changes |= {prefix: route for prefix, route in before.items() if prefix not in after}
    return changes


class RouteLedger:
    """What is heard, and what of it steering has been told."""

    def __init__(self, epoch: str) -> None:
        """Open the ledger of one run of the daemon."""
        self._epoch = epoch
        self._table: RouteTable = {}
        self._told: Changes = {}
        """Of each prefix where steering's table differs from ours: what it has there."""
        self._digest = 0
        self._in_flight: tuple[RouteBatch, RouteTable, Changes, int] | None = None
        self._sequence = 0
        self._begun = False
        self._full: bool | None = None
        """Whether a whole table is being told (True once its first batch is cut, False until then)."""

    @property
    def digest(self) -> str | None:
        """The digest of what steering has been told; None until anything is known, and while a batch is on its way."""
        return f"{self._digest:032x}" if self._begun and self._in_flight is None else None

    @property
    def begun(self) -> bool:
        """Whether anything is known."""
        return self._begun

    @property
    def pending(self) -> int:
        """Prefixes that steering is yet to be told of."""
        return len(self._told)

    def take(self, table: RouteTable, changes: Changes) -> None:
        """Take up the table that is heard now; ``changes`` lead to it from the one before."""
        self._begun = True
        self._table = table
        for prefix, old in changes.items():
            has = self._told.setdefault(prefix, old)
            if has is table.get(prefix):
                del self._told[prefix]

    def restart(self) -> None:
        """Steering has another table than it was told: tell it everything."""
        if self._begun and (self._full is None or self._full):
            self._in_flight = None
            self._digest = 0
            self._told = dict.fromkeys(self._table)
            self._full = False

    def batch(self) -> RouteBatch | None:
        """The batch to send now: the one in flight, or the next; None where steering knows everything."""
        if self._in_flight is None and (self._told or self._full is not None):
            self._cut()
        return self._in_flight[0] if self._in_flight is not None else None

    def acknowledge(self, batch: RouteBatch) -> None:
        """Steering has taken ``batch``; only the one in flight counts."""
        if self._in_flight is None or self._in_flight[0] is not batch:
            return
        _, announced, before, digest = self._in_flight
        self._in_flight = None
        self._digest = digest
        for prefix in before:
            sent = announced.get(prefix)
            if self._table.get(prefix) is sent:
                self._told.pop(prefix, None)
            else:
                self._told[prefix] = sent
        if batch.full:
            self._full = None if batch.ends else True

    def _cut(self) -> None:
        self._sequence += 1
        before: Changes = dict(islice(self._told.items(), BATCH_ROUTES_MAX))
        announced: RouteTable = {}
        withdrawn = []
        groups: defaultdict[HeardRoute, list[str]] = defaultdict(list)
        digest = self._digest
        for prefix, old in before.items():
            new = self._table.get(prefix)
            if old is not None:
                digest ^= old.digest_of(prefix)
            if new is not None:
                digest ^= new.digest_of(prefix)
                announced[prefix] = new
                groups[new].append(prefix)
            else:
                withdrawn.append(prefix)
        begins = self._full is False
        batch = RouteBatch(
            epoch=self._epoch,
            sequence=self._sequence,
            before=NOTHING if begins else f"{self._digest:032x}",
            after=f"{digest:032x}",
            announced=[RouteGroup(route.attributes, prefixes) for route, prefixes in groups.items()],
            withdrawn=withdrawn,
            begins=begins,
            full=self._full is not None,
            ends=self._full is not None and len(before) == len(self._told),
        )
        self._in_flight = batch, announced, before, digest
