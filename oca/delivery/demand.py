"""Demand of viewers, counted by a worker and taken by its supervisor once a second: of the assets that the store holds,
and of objects that it does not hold, or did not look up for viewers whom it turned away.
"""

from __future__ import annotations

from oca.common.demand import NOTHING, Wanted
from oca.delivery.miss_policy import is_marked
from oca.store.records import PULLED

Taken = list[tuple[str, int, int]]
"""(asset, requests, bytes), each above zero."""
PATHS_MAX = 4096
"""Objects not sent as held that a worker counts between two takes; the others go by."""


class AssetCount:
    """Running count of one asset. The session adds to it in place.

    ``token`` stands for the asset in this hour: a connection that has met another one tells of its session anew.
    """

    __slots__ = ("asset", "bytes", "requests", "token")

    def __init__(self, asset: str) -> None:
        self.asset = asset
        self.requests = 0
        self.bytes = 0
        self.token = object()


class Demand:
    """Counts per asset; bounded by the assets that the store holds and that somebody asked for of late.

    ``salt`` is the key of this hour's marks, ``hour`` which one that is (``delivery.sessions``). ``elsewhere`` takes
    what another box has counted.
    """

    def __init__(self, marker: bytes = b"") -> None:
        """Count from nothing; ``marker`` is what redirects of boxes carry in their query."""
        self._marker = marker
        self.elsewhere = AssetCount("")
        self.salt = b""
        self.hour = 0
        self._counts: dict[str, AssetCount] = {}
        self._pulled: dict[bytes, AssetCount] = {}
        self._late: list[tuple[bytes, AssetCount]] = []
        """Of pulled objects that were let go while they were being sent."""
        self._met: dict[str, set[int]] = {}
        self._wanted: dict[bytes, Wanted] = {}
        self._dropped = 0

    def of(self, asset: str, path: bytes = b"") -> AssetCount:
        """The count of ``asset``, the same object each time; of a pulled object, which is in no asset, by its path."""
        count = self._counts.get(asset)
        if count is None and asset.startswith(PULLED):
            count = self._pulled.get(path)
            if count is None:
                count = AssetCount("")
                if len(self._late) < PATHS_MAX:
                    self._late.append((path, count))
                else:
                    self._dropped += 1
        elif count is None:
            count = self._counts[asset] = AssetCount(asset)
        return count

    def open_pulled(self, path: bytes) -> AssetCount:
        """The count of a pulled object that is at hand from now on, until it is let go."""
        count = self._pulled.get(path)
        if count is None:
            count = self._pulled[path] = AssetCount("")
        return count

    def let_go(self, path: bytes) -> None:
        """A pulled object is at hand no more; what was counted of it stays."""
        count = self._pulled.pop(path, None)
        if count is not None:
            self._want_fetched(path, count)

    def _want_fetched(self, path: bytes, count: AssetCount) -> None:
        if count.requests:
            self.want(path, Wanted(fetched=count.requests, fetched_bytes=count.bytes))
        count.requests = count.bytes = 0

    def meet(self, count: AssetCount, mark: int) -> None:
        """A session, by its mark, asks for the asset of ``count``."""
        if count.asset:
            self._met.setdefault(count.asset, set()).add(mark)

    def was_counted(self, query: bytes) -> bool:
        """Whether another box of whatever site sent the viewer here, and has counted what it does not hold."""
        return is_marked(query, self._marker)

    def want(self, path: bytes, wanted: Wanted) -> None:
        """Viewers asked for an object that they were not sent as held."""
        if path not in self._wanted and len(self._wanted) >= PATHS_MAX:
            self._dropped += wanted.requests
        else:
            self._wanted[path] = self._wanted.get(path, NOTHING).plus(wanted)

    def begin_hour(self, salt: bytes, hour: int) -> None:
        """Mark sessions by another key, and those that are here anew. Take what was met before."""
        self.salt, self.hour = salt, hour
        self._met = {}
        for count in self._counts.values():
            count.token = object()

    def take(self) -> Taken:
        """What was counted of assets since the last call; zeroed."""
        taken = [(asset, count.requests, count.bytes) for asset, count in self._counts.items() if count.requests]
        for asset, _, _ in taken:
            count = self._counts[asset]
            count.requests = count.bytes = 0
        return taken

    def take_met(self) -> list[tuple[str, list[int]]]:
        """Marks of sessions by asset since the last call, some of them told before."""
        taken, self._met = self._met, {}
        return [(asset, list(marks)) for asset, marks in taken.items()]

    def take_wanted(self) -> dict[str, Wanted]:
        """By path what was wanted of objects that are not held, since the last call."""
        for path, count in [*self._pulled.items(), *self._late]:
            self._want_fetched(path, count)
        self._late = []
        taken, self._wanted = self._wanted, {}
        return {path.decode("ascii"): wanted for path, wanted in taken.items()}

    def take_dropped(self) -> int:
        """Requests for what is not held that went uncounted since the last call, for want of room."""
        dropped, self._dropped = self._dropped, 0
        return dropped

    def forget_idle(self) -> None:
        """Drop assets without demand since the last take; call it when nobody holds an ``AssetCount``."""
        self._counts = {asset: count for asset, count in self._counts.items() if count.requests}
