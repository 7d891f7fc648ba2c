"""What to fetch and what to evict, from the plan and what the store holds. Pure: the agent carries it out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from oca.common.messages import PlannedAsset
from oca.common.units import format_bytes


class Held(Struct, frozen=True):
    """One asset that the store holds whole."""

    asset: str
    revision: str
    bytes: int
    device: int
    committed_at_ns: int


class Fetch(Struct, frozen=True, gc=False):
    """An asset to fetch, and the assets that give way to it, first of all."""

    planned: PlannedAsset
    evict_first: tuple[Held, ...]


class Skipped(Struct, frozen=True):
    """An asset of the plan that will not be fetched, and why."""

    asset: str
    bytes: int
    reason: str


class FillDiff(Struct, frozen=True):
    """What a fill has to do.

    Attributes:
        fetches: In the plan's order; each fits in what is free and what its evictions and those before free.
        skipped: Assets that do not fit, each with its reason.
        kept: Assets of the plan that the store holds already.
        spare: What could still give way, in that order, should a device turn out fuller than its figures.
    """

    fetches: tuple[Fetch, ...]
    skipped: tuple[Skipped, ...]
    kept: tuple[str, ...]
    spare: tuple[Held, ...]

    @property
    def evictions(self) -> tuple[Held, ...]:
        """Everything that has to give way, in order."""
        return tuple(held for fetch in self.fetches for held in fetch.evict_first)


def diff_plan(
    wanted: Sequence[PlannedAsset], held: Iterable[Held], *, free_bytes: int, overhead_bytes: int
) -> FillDiff:
    """Compare the plan with the store.

    What the plan no longer names gives way only as far as space is needed: longest held first, and then older
    revisions of assets that the plan names, worst placed first. An older revision that need not give way serves until
    the new one replaces it.

    Args:
        wanted: The plan's assets, best first; a repeated one counts once.
        held: What the store holds.
        free_bytes: Space for assets that nothing takes.
        overhead_bytes: What an asset takes beside its bytes, at most.
    """
    plan: dict[str, PlannedAsset] = {}
    for planned in wanted:
        plan.setdefault(planned.asset, planned)
    store = {entry.asset: entry for entry in held}
    unplanned = sorted((e for e in store.values() if e.asset not in plan), key=lambda e: (e.committed_at_ns, e.asset))
    outdated = [store[asset] for asset in plan if asset in store and store[asset].revision != plan[asset].revision]
    may_go = unplanned + outdated[::-1]
    may_go_bytes = _total(may_go)

    fetches: list[Fetch] = []
    skipped: list[Skipped] = []
    kept: list[str] = []
    gone = 0
    for asset, planned in plan.items():
        if asset in store and store[asset].revision == planned.revision:
            kept.append(asset)
            continue
        needed = planned.bytes + overhead_bytes
        if needed > free_bytes + may_go_bytes:
            skipped.append(Skipped(asset, planned.bytes, _no_room(needed, free_bytes, may_go_bytes)))
            continue
        first = gone
        while needed > free_bytes:
            free_bytes += may_go[gone].bytes
            may_go_bytes -= may_go[gone].bytes
            gone += 1
        free_bytes -= needed
        fetches.append(Fetch(planned, tuple(may_go[first:gone])))
    return FillDiff(tuple(fetches), tuple(skipped), tuple(kept), tuple(may_go[gone:]))


def room_on_one_device(may_go: Sequence[Held], needed_bytes: int, free_bytes: Mapping[int, int]) -> tuple[Held, ...]:
    """What gives way so that an asset finds room; a pack lies on one device, so all of it on one.

    Args:
        may_go: What could give way, in that order.
        needed_bytes: What the asset takes.
        free_bytes: What each device has free.

    Returns:
        The entries on the device where the fewest bytes have to go; none where the asset fits on no device.
    """
    choices = []
    for device, free in free_bytes.items():
        chosen: list[Held] = []
        for entry in may_go:
            if entry.device == device and free + _total(chosen) < needed_bytes:
                chosen.append(entry)
        if free + _total(chosen) >= needed_bytes:
            choices.append(tuple(chosen))
    return min(choices, key=_total, default=())


def _total(entries: Iterable[Held]) -> int:
    return sum(entry.bytes for entry in entries)


def _no_room(needed: int, free: int, may_go: int) -> str:
    return (
        f"no room: needs {format_bytes(needed)}, {format_bytes(free)} free and {format_bytes(may_go)} held "
        "that the plan does not want"
    )
