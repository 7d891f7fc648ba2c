"""How much a device may hold, how much of that is free, and which device an asset goes to. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

HOT_SHARE = 100
"""An asset is hot from a hundredth of what a device has to send on average: smaller ones even out by their number."""


class DeviceSpace(Struct, frozen=True):
    """A device as measured, in bytes.

    Attributes:
        total: Size of its file system.
        available: What the file system still gives.
        held: What indexed packs take.
        staged: What parts in staging take so far.
    """

    total: int
    available: int
    held: int
    staged: int = 0


def capacity_bytes(space: DeviceSpace, *, device_bytes_max: int, reserve_ratio: float) -> int:
    """Space for assets on a device: what they take, and what they could take without touching the reserve.

    ``device_bytes_max`` of 0 sets no limit beyond the file system's.
    """
    ours = space.held + space.staged
    fits = max(0, ours + space.available - int(space.total * reserve_ratio))
    return min(fits, device_bytes_max) if device_bytes_max else fits


def free_bytes(space: DeviceSpace, *, awaited: int, device_bytes_max: int, reserve_ratio: float) -> int:
    """What a new asset may take: capacity less what is held and staged, and what open parts will still take."""
    capacity = capacity_bytes(space, device_bytes_max=device_bytes_max, reserve_ratio=reserve_ratio)
    return max(0, capacity - space.held - space.staged - awaited)


def choose_device(
    need_bytes: int,
    free: Mapping[int, int],
    heat: Mapping[int, float],
    *,
    own_heat: float = 0.0,
    preferred: int | None = None,
) -> int | None:
    """The device for a pack, by number: of those where it fits, None if it fits nowhere.

    The device that holds the asset's older revision is preferred: there, one transaction replaces it. Else a hot asset
    goes where the least is expected to be sent, so that hot ones spread; any other where the most is free.

    Args:
        need_bytes: What the pack takes.
        free: Bytes that each device may still take.
        heat: How much of what each device holds is expected to be sent, in one unit for all.
        own_heat: The same of this asset.
        preferred: The device that is taken wherever it fits there.
    """
    fitting = [number for number, bytes_free in free.items() if bytes_free >= need_bytes]
    if preferred in fitting:
        return preferred
    is_hot = own_heat * HOT_SHARE * len(free) >= sum(heat.values()) + own_heat > 0
    if is_hot:
        return min(fitting, key=lambda number: (heat[number], -free[number]), default=None)
    return max(fitting, key=lambda number: free[number], default=None)
