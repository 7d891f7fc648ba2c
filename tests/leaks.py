"""What takes space in a store and belongs to nobody: the check of tests that kill whoever fills it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from oca.common.messages import AssetManifest
from oca.store.staging import part_name
from oca.store.store import Store


def leaked_bytes(devices: Sequence[Path], planned: Iterable[AssetManifest], *, device_bytes_max: int) -> int:
    """What takes space once the next fill has started, and is neither an indexed pack nor a part of the plan."""
    manifests = list(planned)
    store = Store.open(devices, device_bytes_max=device_bytes_max, reserve_ratio=0.0)
    try:
        store.discard_staging({manifest.asset for manifest in manifests})
        held = sum(pack.bytes for pack in store.assets())
    finally:
        store.close()
    parts = {part_name(manifest.asset, manifest.revision) for manifest in manifests}
    packs = sum(file.stat().st_size for device in devices for file in (device / "packs").iterdir())
    strays = [file for device in devices for file in (device / "staging").iterdir() if file.name not in parts]
    return abs(packs - held) + sum(file.stat().st_size for file in strays)
