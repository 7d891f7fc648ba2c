"""Where a fill stands: one entry an asset, summed as it goes. Pure: who shows or sends it is elsewhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import chain, islice
from typing import Literal

from msgspec import Struct

from fill.diff import Skipped
from oca.common.messages import AssetProgress, AssetState, FillProgress, PlannedAsset, SourceKind

SHOWN_MAX = 100
TEXT_MAX = 400
_SHOWN_FIRST: tuple[AssetState, ...] = ("fetching", "verifying", "failed", "waiting", "queued", "committed")


class _Entry(Struct, gc=False):
    """One asset of this fill; mutable, since bytes arrive by the thousand. No cycle goes through it, as through no part
    of a plan: the collector need not know each of 100,000, which would take 16 bytes more.
    """

    bytes: int
    state: AssetState = "queued"
    bytes_done: int = 0
    source: str = ""
    reason: str = ""


class FillTracker:
    """Counts one fill from its start to its end, so that a look at it costs the same however large the plan is."""

    def __init__(self, appliance: str, *, started_at_ns: int) -> None:
        self._appliance = appliance
        self._started_at_ns = started_at_ns
        self._entries: dict[str, _Entry] = {}
        self._by_state: dict[AssetState, dict[str, None]] = {state: {} for state in _SHOWN_FIRST}
        self._bytes_total = 0
        self._bytes_done = 0
        self._bytes_by_source: Counter[SourceKind] = Counter()
        self.left_out: list[Skipped] = []
        self._plan = "0" * 32
        self._evicted = 0
        self._evicted_bytes = 0
        self._end: Literal["running", "done", "incomplete"] = "running"
        self._reason = ""

    @property
    def failures(self) -> dict[str, str]:
        """Each asset that could not be had, and why."""
        return {asset: self._entries[asset].reason for asset in self._by_state["failed"]}

    def planned(self, plan: str, assets: Sequence[PlannedAsset]) -> None:
        """These assets are to be fetched; what was known of them from an earlier pass is forgotten."""
        self._plan = plan
        for planned in assets:
            self._begin(planned.asset, planned.bytes)

    def waiting(self, asset: str, reason: str) -> None:
        """``asset`` is looked at again later."""
        self._move(asset, "waiting")
        self._entries[asset].reason = reason

    def verifying(self, asset: str, *, bytes_total: int) -> None:
        """What is staged of ``asset`` is read again, or made durable."""
        entry = self._move(asset, "verifying")
        self._bytes_total += bytes_total - entry.bytes
        entry.bytes, entry.source = bytes_total, ""

    def fetching(self, asset: str, *, bytes_done: int) -> None:
        """``asset`` is on its way, ``bytes_done`` of it kept from before."""
        self._move(asset, "fetching").reason = ""
        self.moved(asset, bytes_done)

    def asked(self, asset: str, source: str) -> None:
        """``source`` is being asked for the next object of ``asset``."""
        self._entries[asset].source = source

    def came(self, kind: SourceKind, count: int) -> None:
        """So many bytes came from a source of this kind."""
        self._bytes_by_source[kind] += count

    def moved(self, asset: str, bytes_done: int) -> None:
        """So much of ``asset`` is staged; less than before after a wrong digest."""
        entry = self._entries[asset]
        self._bytes_done += bytes_done - entry.bytes_done
        entry.bytes_done = bytes_done

    def committed_asset(self, asset: str) -> None:
        """``asset`` is held whole."""
        entry = self._move(asset, "committed")
        self.moved(asset, entry.bytes)
        entry.source = ""

    def failed(self, asset: str, bytes_total: int, reason: str) -> None:
        """``asset`` cannot be had in this fill."""
        if asset not in self._entries:
            self._begin(asset, bytes_total)
        self._move(asset, "failed").reason = reason

    @property
    def bytes_in(self) -> int:
        """Bytes of the assets that were committed."""
        return sum(self._entries[asset].bytes for asset in self._by_state["committed"])

    @property
    def refused(self) -> list[Skipped]:
        """Each asset that could not be had, and why."""
        return [
            Skipped(asset, self._entries[asset].bytes, self._entries[asset].reason)
            for asset in self._by_state["failed"]
        ]

    def evicted(self, count: int) -> None:
        """One asset of so many bytes has given way."""
        self._evicted += 1
        self._evicted_bytes += count

    def held_back(self, why: str) -> None:
        """The fill is slower than it might be, because of ``why``; empty: it is not."""
        self._reason = why

    def ended(self, *, why: str = "") -> None:
        """The fill is over: done if everything planned is held, else incomplete, with ``why`` or the failures."""
        missing = len(self._entries) - len(self._by_state["committed"])
        self._end = "incomplete" if missing or why else "done"
        self._reason = why or (f"{missing} of {len(self._entries)} assets could not be had" if missing else "")

    def snapshot(self, now_ns: int) -> FillProgress:
        """The message for steering; of the assets, first those on their way, then the failed, then the next ones."""
        shown = islice(chain.from_iterable(self._by_state[state] for state in _SHOWN_FIRST), SHOWN_MAX)
        return FillProgress(
            appliance=self._appliance,
            plan=self._plan,
            state=self._end,
            started_at_ns=self._started_at_ns,
            updated_at_ns=now_ns,
            bytes_total=self._bytes_total,
            bytes_done=self._bytes_done,
            assets_total=len(self._entries),
            assets_done=len(self._by_state["committed"]),
            assets_failed=len(self._by_state["failed"]),
            assets_evicted=self._evicted,
            bytes_evicted=self._evicted_bytes,
            bytes_by_source=dict(self._bytes_by_source),
            current=[self._shown(asset) for asset in shown],
            reason=self._reason[:TEXT_MAX],
        )

    def _begin(self, asset: str, bytes_total: int) -> None:
        before = self._entries.get(asset)
        if before is not None:
            del self._by_state[before.state][asset]
            self._bytes_total -= before.bytes
            self._bytes_done -= before.bytes_done
        self._entries[asset] = _Entry(bytes=bytes_total)
        self._by_state["queued"][asset] = None
        self._bytes_total += bytes_total

    def _move(self, asset: str, state: AssetState) -> _Entry:
        entry = self._entries[asset]
        del self._by_state[entry.state][asset]
        self._by_state[state][asset] = None
        entry.state = state
        return entry

    def _shown(self, asset: str) -> AssetProgress:
        entry = self._entries[asset]
        return AssetProgress(
            asset=asset,
            state=entry.state,
            bytes=entry.bytes,
            bytes_done=entry.bytes_done,
            source=entry.source[:TEXT_MAX],
            reason=entry.reason[:TEXT_MAX],
        )
