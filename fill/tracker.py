"""Where a fill stands: one entry an asset, summed as it goes. Pure: who shows or sends it is elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, islice
from typing import Literal

from msgspec import Struct

from oca.common.messages import AssetProgress, FillProgress, PlannedAsset

SHOWN_MAX = 100
TEXT_MAX = 400
State = Literal["queued", "fetching", "committed", "failed"]


class _Entry(Struct):
    """One asset of this fill; mutable, since bytes arrive by the thousand."""

    bytes: int
    state: State = "queued"
    bytes_done: int = 0
    source: str = ""
    reason: str = ""


class FillTracker:
    """Counts one fill from its start to its end."""

    def __init__(self, appliance: str, *, started_at_ns: int) -> None:
        self._appliance = appliance
        self._started_at_ns = started_at_ns
        self._entries: dict[str, _Entry] = {}
        self._plan = "0" * 32
        self._evicted = 0
        self._end: Literal["running", "done", "incomplete"] = "running"
        self._reason = ""

    @property
    def failures(self) -> dict[str, str]:
        """Each asset that could not be had, and why."""
        return {asset: entry.reason for asset, entry in self._entries.items() if entry.state == "failed"}

    def planned(self, plan: str, assets: Sequence[PlannedAsset]) -> None:
        """These assets are to be fetched; what was known of them from an earlier pass is forgotten."""
        self._plan = plan
        self._entries.update({entry.asset: _Entry(bytes=entry.bytes) for entry in assets})

    def fetching(self, asset: str, *, bytes_total: int, bytes_done: int) -> None:
        """``asset`` is on its way, ``bytes_done`` of it kept from before."""
        self._entries[asset] = _Entry(bytes=bytes_total, state="fetching", bytes_done=bytes_done)

    def asked(self, asset: str, source: str) -> None:
        """``source`` is being asked for the next object of ``asset``."""
        self._entries[asset].source = source

    def moved(self, asset: str, bytes_done: int) -> None:
        """So much of ``asset`` is staged; less than before after a wrong digest."""
        self._entries[asset].bytes_done = bytes_done

    def committed_asset(self, asset: str) -> None:
        """``asset`` is held whole."""
        entry = self._entries[asset]
        entry.state, entry.bytes_done, entry.source = "committed", entry.bytes, ""

    def failed(self, asset: str, bytes_total: int, reason: str) -> None:
        """``asset`` cannot be had in this fill."""
        entry = self._entries.setdefault(asset, _Entry(bytes=bytes_total))
        entry.state, entry.reason = "failed", reason

    def evicted(self) -> None:
        """One asset has given way."""
        self._evicted += 1

    def held_back(self, why: str) -> None:
        """The fill is slower than it might be, because of ``why``; empty: it is not."""
        self._reason = why

    def ended(self, *, why: str = "") -> None:
        """The fill is over: done if everything planned is held, else incomplete, with ``why`` or the failures."""
        missing = sum(entry.state != "committed" for entry in self._entries.values())
        self._end = "incomplete" if missing or why else "done"
        self._reason = why or (f"{missing} of {len(self._entries)} assets could not be had" if missing else "")

    def snapshot(self, now_ns: int) -> FillProgress:
        """The message for steering; of the assets, first those on their way, then the failed, then the next ones."""
        by_state: dict[State, list[str]] = {"fetching": [], "failed": [], "queued": [], "committed": []}
        bytes_total = bytes_done = 0
        for asset, entry in self._entries.items():
            by_state[entry.state].append(asset)
            bytes_total += entry.bytes
            bytes_done += entry.bytes_done
        return FillProgress(
            appliance=self._appliance,
            plan=self._plan,
            state=self._end,
            started_at_ns=self._started_at_ns,
            updated_at_ns=now_ns,
            bytes_total=bytes_total,
            bytes_done=bytes_done,
            assets_total=len(self._entries),
            assets_done=len(by_state["committed"]),
            assets_failed=len(by_state["failed"]),
            assets_evicted=self._evicted,
            current=[self._shown(asset) for asset in islice(chain(*by_state.values()), SHOWN_MAX)],
            reason=self._reason[:TEXT_MAX],
        )

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
