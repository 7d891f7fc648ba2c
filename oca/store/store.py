"""A store open for writing: stage, commit, evict. One process at a time holds each device."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from oca.common.clock import now_ns
from oca.common.errors import StoreError, StoreFullError
from oca.common.log import get_logger
from oca.common.messages import AssetManifest, StoreUse
from oca.common.units import format_bytes
from oca.store import capacity, files, pack
from oca.store.device import Device, DeviceHeldError, held_on
from oca.store.entries import decode_entry
from oca.store.index import MAP_BYTES, PathClaimedError
from oca.store.outage import Outage, remedy_of, sentence, take_out
from oca.store.outages import keep, read_records
from oca.store.records import HeldPack
from oca.store.recovery import part_header, recover, settle
from oca.store.staging import StagedAsset, pack_bytes, part_name
from oca.store.trouble import trouble_of
from oca.store.use import measure, use_of

_log = get_logger("store")


class Store:
    """The store as the fill agent and the operator's commands change it. Its methods may be called from any thread.

    A device that fails, or that is known to be out, is left out; ``failed`` says why. One that fails a write is taken
    out then and there, for the daemon, too.
    """

    def __init__(
        self,
        devices: dict[int, Device],
        failed: dict[int, StoreError],
        *,
        device_bytes_max: int = 0,
        reserve_ratio: float = 0.05,
        known: Mapping[str, Outage] | None = None,
    ) -> None:
        self.failed = failed
        self._devices = devices
        self._known = dict(known or {})
        self._taken_out: list[Device] = []
        self._heat: Mapping[str, float] = {}
        self._device_bytes_max = device_bytes_max
        self._reserve_ratio = reserve_ratio
        self._staged: set[StagedAsset] = set()
        self._guard = threading.RLock()

    @classmethod
    def open(
        cls,
        devices: Sequence[Path],
        *,
        device_bytes_max: int = 0,
        reserve_ratio: float = 0.05,
        map_bytes: int = MAP_BYTES,
    ) -> Self:
        """Hold every device that works, and mend what a kill left behind.

        Args:
            devices: Folders, in the order of the settings.
            device_bytes_max: Space for assets on each; 0: what the file system holds, less the reserve.
            reserve_ratio: Share of the file system that assets never take.
            map_bytes: Limit of each index.

        Raises:
            DeviceHeldError: Another process holds one.
            StoreError: None works.
        """
        working: dict[int, Device] = {}
        failed: dict[int, StoreError] = {}
        known = read_records(devices)
        try:
            for number, folder in enumerate(devices):
                outage = known.get(str(folder))
                if outage is not None and outage.out:
                    failed[number] = StoreError(f"{folder}: {sentence(outage)}", remedy=remedy_of(outage))
                    continue
                try:
                    working[number] = _open_mended(number, folder, map_bytes)
                except DeviceHeldError:  # left out, it would get second copies elsewhere of what it holds
                    raise
                except StoreError as error:
                    failed[number] = error
            _tell(settle(working.values()))
        except BaseException:
            for device in working.values():
                device.close()
            raise
        if not working:
            raise next(iter(failed.values()), StoreError("the store has no device", remedy="set [store] devices"))
        return cls(working, failed, device_bytes_max=device_bytes_max, reserve_ratio=reserve_ratio, known=known)

    def assets(self) -> list[HeldPack]:
        """Every asset held whole, by id."""
        return held_on(self._devices.values())

    def devices(self) -> list[Device]:
        """The devices that work."""
        return list(self._devices.values())

    def use(self) -> StoreUse:
        """Space and contents, for reports."""
        return use_of(self.devices(), device_bytes_max=self._device_bytes_max, reserve_ratio=self._reserve_ratio)

    def capacity_bytes(self) -> int:
        """Space for assets on all working devices."""
        return self.use().capacity_bytes

    def free_bytes(self) -> int:
        """What new assets may still take on all working devices, open parts counted as whole."""
        with self._guard:
            return sum(self._free().values())

    def expect(self, heat: Mapping[str, float]) -> None:
        """Tell how much of each asset is expected to be sent, in one unit for all: hot ones are spread."""
        self._heat = heat

    def stage(self, manifest: AssetManifest) -> StagedAsset:
        """Begin an asset, or go on where an earlier try of the same revision was cut short.

        What is here already is read and checked against its digests, which takes as long as reading it does.

        Raises:
            StoreError: It is being staged already; its manifest contradicts itself; another asset has one of its
                paths; or it does not fit.
        """
        pack.check_manifest(manifest)
        need_bytes = pack_bytes(manifest)
        with self._guard:
            if any(staged.manifest.asset == manifest.asset for staged in self._staged):
                raise StoreError(f"{manifest.asset}: is being staged already", remedy="wait until that has ended")
            self._refuse_claimed(manifest)
            number = self._discard_other_parts(manifest)
            if number is None:
                number = self._choose_device(manifest, need_bytes)
            path = self._devices[number].staging / part_name(manifest.asset, manifest.revision)
            with self._blaming(number):
                staged = StagedAsset(
                    manifest, number, path, admit=self._admit, release=self._release, blame=self._blame
                )
            self._staged.add(staged)
        staged.resume()
        return staged

    def evict(self, asset: str) -> int:
        """Remove an asset; sends that run go on to their end.

        Returns:
            Bytes freed on the device; 0 if the asset is not held.
        """
        with self._guard:
            freed = 0
            for device in self.devices():
                with self._blaming(device.number):
                    for number, entry in device.index.packs().items():
                        if entry.asset == asset:
                            device.evict(number)
                            freed += entry.bytes
        return freed

    def discard_staging(self, keep: set[str]) -> None:
        """Remove the parts of assets that ``keep`` does not name and that nobody is writing."""
        with self._guard:
            open_parts = {staged.path for staged in self._staged}
            for device in self._devices.values():
                for name in files.names(device.staging):
                    header = part_header(device, name)
                    if device.staging / name not in open_parts and (header is None or header.asset not in keep):
                        files.remove(device.staging / name)

    def close(self) -> None:
        """Close open parts, which stay, and let go of the devices."""
        with self._guard:
            for staged in list(self._staged):
                staged.close()
            for device in (*self._devices.values(), *self._taken_out):
                device.close()

    def _admit(self, staged: StagedAsset, table: pack.PackTable, size: int) -> HeldPack:
        with self._guard:
            device = self._devices.get(staged.device)
            if device is None:
                raise self.failed[staged.device]
            self._refuse_claimed(staged.manifest)
            number = device.index.next_number()
            target = device.pack_path(number)
            try:
                files.move(staged.path, target)
                entry = device.admit(number, table, size)
            except StoreError:
                if device.index.pack(number) is None and files.size(target) is not None:
                    files.move(target, staged.path)
                raise
            try:
                _tell(settle(self._devices.values()))
            except StoreError as error:  # the asset is in; a copy elsewhere only still takes space
                _log.warning("an older revision goes at the next start", asset=table.asset, error=error.message)
        return HeldPack(table.asset, table.revision, entry.bytes, entry.objects, staged.device, entry.committed_at_ns)

    @contextmanager
    def _blaming(self, number: int) -> Iterator[None]:
        """Take the device out if what the body does shows that it fails."""
        try:
            yield
        except StoreError as error:
            self._blame(number, error)
            raise

    def _blame(self, number: int, error: StoreError) -> None:
        trouble = trouble_of(error)
        with self._guard:
            device = self._devices.get(number)
            if trouble is None or device is None:
                return
            del self._devices[number]
            self._taken_out.append(device)
            self.failed[number] = error
            folder = str(device.folder)
            outage = take_out(self._known.get(folder), folder, trouble, error.message, now_ns=now_ns())
            self._known[folder] = outage
            kept = keep([other.folder for other in (*self._devices.values(), device)], outage)
        _log.error("a device is taken out", device=folder, why=error.message, kept=kept, remedy=remedy_of(outage))

    def _release(self, staged: StagedAsset) -> None:
        with self._guard:
            self._staged.discard(staged)

    def _refuse_claimed(self, manifest: AssetManifest) -> None:
        for device in self._devices.values():
            packs = device.index.packs()
            for item in manifest.objects:
                path = item.path.encode()
                value = device.index.get(path)
                holder = packs.get(decode_entry(value, device.number).pack) if value is not None else None
                if holder is not None and holder.asset != manifest.asset:
                    raise PathClaimedError(path, manifest.asset, holder.asset)

    def _discard_other_parts(self, manifest: AssetManifest) -> int | None:
        """Remove parts of other revisions of the asset; the device that has this revision's part, if any."""
        wanted = part_name(manifest.asset, manifest.revision)
        found = None
        for device in self._devices.values():
            for name in files.names(device.staging):
                if name == wanted and found is None:
                    found = device.number
                elif name == wanted or getattr(part_header(device, name), "asset", None) == manifest.asset:
                    files.remove(device.staging / name)
        return found

    def _choose_device(self, manifest: AssetManifest, need_bytes: int) -> int:
        if not self._devices:
            raise next(iter(self.failed.values()))
        free = self._free()
        holding = None
        heat = dict.fromkeys(free, 0.0)
        for held in self.assets():
            heat[held.device] += self._heat.get(held.asset, 0.0)
            if held.asset == manifest.asset:
                holding = held.device
        for staged in self._staged:
            heat[staged.device] = heat.get(staged.device, 0.0) + self._heat.get(staged.manifest.asset, 0.0)
        own_heat = self._heat.get(manifest.asset, 0.0)
        chosen = capacity.choose_device(need_bytes, free, heat, own_heat=own_heat, preferred=holding)
        if chosen is None:
            raise StoreFullError(
                f"{manifest.asset}: needs {format_bytes(need_bytes)} on one device, "
                f"at most {format_bytes(max(free.values()))} are free",
                remedy="evict assets first, raise [store] device_bytes_max or add a device",
                free_bytes=free,
            )
        return chosen

    def _free(self) -> dict[int, int]:
        """What a new asset may take on each device."""
        awaited: Counter[int] = Counter()
        for part in self._staged:
            awaited[part.device] += max(0, part.pack_bytes - (files.size(part.path) or 0))
        return {
            number: capacity.free_bytes(
                space,
                awaited=awaited[number],
                device_bytes_max=self._device_bytes_max,
                reserve_ratio=self._reserve_ratio,
            )
            for number, space in measure(self._devices.values()).items()
        }


def _open_mended(number: int, folder: Path, map_bytes: int) -> Device:
    device = Device.open_for_writing(number, folder, map_bytes=map_bytes)
    try:
        recovered = recover(device)
    except BaseException:
        device.close()
        raise
    _tell([*recovered.taken_in, *recovered.removed])
    return device


def _tell(done: list[str]) -> None:
    for line in done:
        _log.warning("store mended", done=line)
