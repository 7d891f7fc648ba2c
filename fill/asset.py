"""Brings one asset into its staging pack: object after object, source after source. Its commit is the agent's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Protocol

from fill.fetch import Sink
from fill.rank import SourceRank
from fill.sources import Fault, GivenUp, SourceLadder
from oca.common import clock
from oca.common.log import get_logger
from oca.common.messages import AssetManifest, FillSource, ObjectDescription, SourceKind

_log = get_logger("fetch")


class Staging(Protocol):
    """The part of ``oca.store``'s staged asset that a fetch needs."""

    def position(self) -> tuple[int, int]:
        """The object that comes next, and how many of its bytes are there already."""

    def write(self, chunk: bytes) -> None:
        """Append to that object."""

    def finish_object(self) -> bool:
        """Close the object; False if its digest is wrong, and then none of its bytes are kept."""


class Fetcher(Protocol):
    """Brings one object from one source, as ``fill.fetch.ObjectFetcher`` does."""

    async def fetch(self, source: FillSource, wanted: ObjectDescription, offset: int, sink: Sink) -> Fault | None:
        """Hand the object's bytes from ``offset`` on to ``sink``; None once it has had them all."""


class Watcher(Protocol):
    """Is told how the asset comes along, as ``fill.tracker.FillTracker`` is."""

    def asked(self, asset: str, source: str) -> None:
        """``source`` is asked for the next object."""

    def came(self, kind: SourceKind, count: int) -> None:
        """So many bytes came from a source of this kind."""

    def moved(self, asset: str, bytes_done: int) -> None:
        """So many bytes of the asset are staged."""


class AssetFetch:
    """One asset on its way.

    Args:
        manifest: Its objects, in the order in which they are staged.
        staged: Where its bytes go, and what is there from before.
        ladder: Its sources.
        fetcher: Talks to them.
        watcher: Is told of every step.
        rank: Is told of every fault.
        dice: Draws from 0 to 1.
    """

    def __init__(
        self,
        manifest: AssetManifest,
        staged: Staging,
        *,
        ladder: SourceLadder,
        fetcher: Fetcher,
        watcher: Watcher,
        rank: SourceRank,
        dice: Callable[[], float],
    ) -> None:
        self._manifest = manifest
        self._staged = staged
        self._ladder = ladder
        self._fetcher = fetcher
        self._watcher = watcher
        self._rank = rank
        self._dice = dice
        self._before = 0
        self._done = 0

    async def run(self) -> str:
        """Fetch what is not staged yet.

        Returns:
            The empty string once every object is there and right; else why no source could bring the next one.

        Raises:
            StoreError: The staging pack cannot be written.
        """
        number, self._done = self._staged.position()
        self._before = sum(wanted.bytes for wanted in self._manifest.objects[:number])
        for wanted in self._manifest.objects[number:]:
            why = await self._fetch_object(wanted)
            if why:
                return f"{wanted.path}: {why}"
            self._before += wanted.bytes
            self._done = 0
        return ""

    async def _fetch_object(self, wanted: ObjectDescription) -> str:
        # Whose bytes the object is made of so far: a wrong digest speaks against a source only if all are its own.
        givers = {""} if self._done else set[str]()
        while True:
            step = self._ladder.next(jitter=self._dice())
            if isinstance(step, GivenUp):
                return step.why
            if step.wait_s:
                await asyncio.sleep(step.wait_s)
            self._watcher.asked(self._manifest.asset, step.source.url)
            had = self._done
            fault = await self._fetcher.fetch(step.source, wanted, had, partial(self._take, step.source))
            if self._done > had:
                givers.add(step.source.url)
            if fault is None:
                if self._staged.finish_object():
                    self._ladder.succeeded()
                    return ""
                self._done = 0
                self._watcher.moved(self._manifest.asset, self._before)
                blamed = givers <= {step.source.url}
                givers.clear()
                if not blamed:
                    _log.warning("object of several sources is wrong, fetched anew", path=wanted.path)
                    continue
                fault = Fault("wrong-digest", "sends other bytes than the digest says", lasting=True)
            _log.warning(
                "source left", asset=self._manifest.asset, path=wanted.path, source=step.source.url, why=fault.why
            )
            self._ladder.failed(step.source, fault)
            self._rank.failed(step.source.url, clock.monotonic_s(), lasting=fault.lasting)

    def _take(self, source: FillSource, chunk: bytes) -> None:
        self._staged.write(chunk)
        self._done += len(chunk)
        self._watcher.came(source.kind, len(chunk))
        self._watcher.moved(self._manifest.asset, self._before + self._done)
