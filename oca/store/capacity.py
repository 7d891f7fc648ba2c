"""How much a device may hold, how much of that is free, and which device an asset goes to. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct


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


def choose_device(need_bytes: int, free: Sequence[int], *, preferred: int | None = None) -> int | None:
    """The device for a pack: ``preferred`` if it fits there, else the one with the most room, else None.

    The device that holds the asset's older revision is preferred: there, one transaction replaces it.
    """
    if preferred is not None and free[preferred] >= need_bytes:
        return preferred
    best = max(range(len(free)), key=lambda number: free[number], default=None)
    return best if best is not None and free[best] >= need_bytes else None
