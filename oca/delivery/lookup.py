"""From a URL path to what is sent for it, with finished answers kept at hand.

The worker drops the kept answers when the index's version moves, which it looks at on a timer, never per request.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from oca.common import clock
from oca.common.errors import StoreError
from oca.common.log import get_logger
from oca.delivery.demand import AssetCount, Demand
from oca.delivery.metrics import DELIVERY_SLOTS
from oca.delivery.miss_policy import MissClass
from oca.delivery.residency import read_at_hand
from oca.http1.response import Representation, representation, whole
from oca.http1.target import TARGET_BYTES
from oca.store.reader import OpenPack, StoreReader
from oca.store.records import Located

KEPT_MAX = 16384
"""Answers at hand per worker; about 1 KiB each. When full all go, and come back from the index as asked for."""

PLAIN_PATH_BYTES = bytes(byte for byte in TARGET_BYTES if byte not in b"%?;")
"""Bytes of paths that stand in a target as they are and have no parameter, which may be a token."""

SMALL_BYTES = 16384
"""Most that leaves in one call with its head. From memory 4 KiB cost a fifth less CPU than by ``sendfile``, 64 KiB
somewhat more, since they are copied."""

FAILED_MAX = 256
"""Failed reads that are remembered until the supervisor is told."""

SPOILT_S = 60.0
"""How long a pack that failed amid a response is passed over, unless the fill changes the index before."""

_READS = DELIVERY_SLOTS["delivery_index_reads"]
_ERRORS = DELIVERY_SLOTS["delivery_index_errors"]
_log = get_logger("lookup")


class Found:
    """One object, ready to be sent.

    Attributes:
        epoch: When its first slice was last found in memory, in epochs of ``readahead.Reads``.
        pack: The open pack; ``offset`` is where the object begins in it.
        about: Size and validators.
        head: The head of the plain 200 answer, up to its Date line.
        count: Demand for the object's asset.
        shown: The path as logs show it, once it was; empty before.
        text: All of it, where it is small and at hand; else empty.
    """

    __slots__ = ("about", "count", "epoch", "head", "offset", "pack", "path", "shown", "size", "text")

    def __init__(self, path: bytes, pack: OpenPack, offset: int, about: Representation, count: AssetCount) -> None:
        self.path = path
        self.pack = pack
        self.offset = offset
        self.size = about.size
        self.about = about
        self.head = whole(about).head
        self.count = count
        self.epoch = -1
        self.shown = ""
        self.text = b""


class Lookup:
    """Answers ``find`` from what is at hand, then from the index. A device that fails makes misses, not errors."""

    def __init__(
        self,
        open_reader: Callable[[], StoreReader],
        demand: Demand,
        counts: memoryview[int],
        *,
        said: bytes = b"",
        small_bytes_max: int = 0,
    ) -> None:
        self._field_lines = said
        self._small_bytes_max = self._small_bytes_left = small_bytes_max
        self._open_reader = open_reader
        self._reader: StoreReader | None = None
        self._version = -1
        self._demand = demand
        self._counts = counts
        self._closings = 0
        self._said: set[tuple[int, int | str]] = set()
        self._quiet = True
        """Whether nothing failed since the last ``refresh``."""
        self._spoilt: dict[str, float] = {}
        self._failed: list[tuple[int, str, str]] = []
        self.kept: dict[bytes, Found] = {}
        """Answers at hand, by path; the session looks here first."""
        self.quick: dict[bytes, Found] = {}
        """Those with a body by the target that asks for them, up to its query: only paths that stand in a target as
        they are, so that one that is found here was read before."""
        self.missed: MissClass = "content"
        """Why ``find`` gave None last."""
        self.unwell: Collection[int] = ()
        """Devices that hang. No pack is opened there: the event loop would wait for that."""

    def find(self, path: bytes) -> Found | None:
        """The object under ``path``; None is a miss, and ``missed`` tells why."""
        found = self.kept.get(path)
        if found is not None:
            return found
        self.missed = "health"
        if self._reader is None:
            return None
        self._counts[_READS] += 1
        located = None
        try:
            located = self._reader.find(path)
            if located is not None and located.device in self.unwell and not self._reader.is_open(located):
                return None
            pack = self._pack(self._reader, located) if located is not None else None
        except StoreError as error:
            self._counts[_ERRORS] += 1
            self._say(error, device=located.device if located is not None else -1)
            return None
        if located is None or pack is None:
            self.missed = "content"
            return None
        if pack.asset in self._spoilt:
            return None
        about = representation(
            located.digest,
            size=located.bytes,
            modified_at_s=located.modified_at_s,
            media_type=located.media_type,
            said=self._field_lines,
        )
        found = self.found(path, pack, located.offset, about)
        self.keep(found)
        return found

    def found(self, path: bytes, pack: OpenPack, offset: int, about: Representation) -> Found:
        """An object that lies in ``pack``."""
        return Found(path, pack, offset, about, self._demand.of(pack.asset))

    def pulled(self, path: bytes, pack: OpenPack, offset: int, about: Representation) -> Found:
        """An object from the origin; to be let go when it is no more at hand."""
        return Found(path, pack, offset, about, self._demand.open_pulled(path))

    def let_go(self, found: Found) -> None:
        """Forget what was pulled, but not who asked for it."""
        self.forget(found)
        self._demand.let_go(found.path)

    def keep(self, found: Found) -> None:
        """Have it at hand for whoever asks next."""
        path = found.path
        before = self.kept.get(path)
        if before is not None:
            self._small_bytes_left += len(before.text)
        found.text = b""  # what was kept before counts no more
        if len(self.kept) >= KEPT_MAX:
            self.drop()
        self.kept[path] = found
        if found.size and path[:1] == b"/" and not path.translate(None, PLAIN_PATH_BYTES):
            self.quick[path] = found

    def take_in(self, found: Found) -> None:
        """Have the bytes of a small object at hand too, whose pages were just found in memory."""
        fits = found.size <= min(SMALL_BYTES, self._small_bytes_left)
        if fits and not found.text and self.kept.get(found.path) is found:
            found.text = read_at_hand(found.pack.descriptor, found.offset, found.size)
            self._small_bytes_left -= len(found.text)

    def forget(self, found: Found) -> None:
        """Have it at hand no more, unless another has come in its place."""
        if self.kept.get(found.path) is found:
            del self.kept[found.path]
            self.quick.pop(found.path, None)
            self._small_bytes_left += len(found.text)

    def is_spoilt(self, asset: str) -> bool:
        """Whether its pack failed of late."""
        return asset in self._spoilt

    def _pack(self, reader: StoreReader, located: Located) -> OpenPack | None:
        try:
            return reader.pack(located.device, located.pack)
        finally:
            if reader.closings != self._closings:
                # Some pack is closed; an answer kept for it must not be sent from a descriptor that is no more.
                self._closings = reader.closings
                self.drop()

    def spoil(self, asset: str, why: str) -> None:
        """Make misses of an asset whose pack failed amid a response: players leave a 404 at once, a reset later."""
        if asset not in self._spoilt:
            _log.error(
                "a pack cannot be sent; its asset is answered 404",
                asset=asset,
                why=why,
                for_s=SPOILT_S,
                remedy="run 'oca store verify'; the next fill brings back what 'oca store remove' takes out",
            )
        self._spoilt[asset] = clock.monotonic_s() + SPOILT_S
        device = self._reader.device_of(asset) if self._reader is not None else None
        if device is not None and len(self._failed) < FAILED_MAX:
            self._failed.append((device, asset, why))
        for found in [found for found in self.kept.values() if found.pack.asset == asset]:
            self.forget(found)

    def take_failed(self) -> list[tuple[int, str, str]]:
        """The reads that failed since the last call, as (device, asset, why)."""
        taken, self._failed = self._failed, []
        return taken

    def leave_out(self, out: Mapping[int, bool]) -> None:
        """Answer no more from these devices, or where the value is True only with what no other has."""
        if self._reader is not None:
            self._reader.leave_out(out)
            self.refresh()

    def refresh(self) -> None:
        """Take up what the fill changed: call once a second. Opens the store if it could not be opened before."""
        try:
            if self._reader is None:
                self._reader = self._open_reader()
            version = self._reader.version()
            if version != self._version:
                self.drop()
                self._spoilt.clear()
                self._demand.forget_idle()
                self._version = version
            self._reader.refresh()
            now_s = clock.monotonic_s()
            for asset in [asset for asset, until_s in self._spoilt.items() if until_s < now_s]:
                del self._spoilt[asset]
        except StoreError as error:
            self._say(error)
        else:
            if self._quiet:
                self._said.clear()
            self._quiet = True

    def close(self) -> None:
        """Let go of the store."""
        self.drop()
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def drop(self) -> None:
        """Forget the answers at hand; those that are asked for come back from the index."""
        self.kept.clear()
        self.quick.clear()
        self._small_bytes_left = self._small_bytes_max

    def _say(self, error: StoreError, *, device: int = -1) -> None:
        """Log trouble once a device and kind, until a second passes without any: it may fail every request.

        The message alone tells no kind: it may name a pack.
        """
        self._quiet = False
        cause = error.__cause__
        kind = cause.errno if isinstance(cause, OSError) and cause.errno else error.message
        if (device, kind) not in self._said:
            self._said.add((device, kind))
            _log.error("the store cannot be read", error=error.message, remedy=error.remedy)
