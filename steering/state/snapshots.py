"""Snapshots of the shared state: so that the log stays short, and a new instance has something to begin with.

Whichever instance finds the log long enough writes its copy, in parts and at last a manifest, and drops the log before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress

from oca.common.errors import SteeringError
from oca.common.log import get_logger
from steering.state.entries import Changes, Manifest, encode, in_packs, read_manifest, unpack
from steering.state.jetstream import EngineAwayError, Session, WrongPlaceError
from steering.state.mirror import Mirror

LOOK_EVERY = 60
"""Looks at the log between two looks at its length."""
LOG_BYTES_MIN = 64 * 2**20
LOG_ENTRIES_MAX = 50_000
"""A log shorter than both, or than the last snapshot, is read sooner than it is rewritten."""
CLAIM_S = 600.0
CLAIM_PAUSE_S = 1.0
_log = get_logger("state")


async def make_if_due(session: Session, mirror: Mirror, name: str, *, writer: str) -> None:
    """Write a snapshot if the log has grown long and nobody else is writing one.

    Raises:
        EngineAwayError: The engine is away; what was written by then counts for nothing.
    """
    stream = await session.stream(f"{name}-state")
    kept = await session.stream(f"{name}-snapshots")
    if stream is None or kept is None:
        return
    size = stream.state
    if size.messages < LOG_ENTRIES_MAX and size.bytes < max(LOG_BYTES_MIN, kept.state.bytes):
        return
    if await _claimed(session, name, writer):
        await make(session, mirror, name, writer=writer)


async def make(session: Session, mirror: Mirror, name: str, *, writer: str) -> Manifest:
    """Write a snapshot and drop what it makes needless."""
    numbers: list[int] = []
    entries = size = 0
    with mirror.reading() as (position, pairs):
        for count, packed in in_packs(pairs):
            once = f"{writer}.snapshot.{position.number}.{len(numbers)}"
            numbers.append(await session.append(f"{name}.snapshot.part", packed, once=once))
            entries, size = entries + count, size + len(packed)
    manifest = Manifest(log=position.log, position=position.number, parts=numbers, entries=entries, bytes=size)
    once = f"{writer}.snapshot.{position.number}"
    last = await session.append(f"{name}.snapshot.manifest", encode(manifest), once=once)
    await session.purge(f"{name}-snapshots", before=min([*numbers, last]))
    await session.purge(f"{name}-state", before=position.number)  # it stays: the next entry is written right behind it
    _log.info("the shared state's log was cut short by a snapshot", entry=position.number, keys=entries, bytes=size)
    return manifest


async def load(session: Session, mirror: Mirror, name: str, *, log: str, beyond: int) -> None:
    """Put the newest snapshot in the place of this copy, which has the log up to ``beyond``.

    Raises:
        SteeringError: There is none, or it is none of this log.
    """
    found = await session.last(f"{name}-snapshots", f"{name}.snapshot.manifest")
    manifest = read_manifest(found.data) if found is not None else None
    if manifest is None or manifest.log != log or manifest.position <= beyond:
        raise SteeringError(
            f"the shared log at {session.server} was cut short and has no snapshot to go with it",
            remedy="seed the engine anew from an instance's copy: docs/state.md",
        )
    packs: list[bytes] = []
    for number in manifest.parts:
        part = await session.at(f"{name}-snapshots", number)
        if part is None:  # a newer one is taking its place
            raise EngineAwayError("a snapshot went while it was read", remedy="it is tried again by itself")
        packs.append(part.data)
    mirror.replace(log, manifest.position, _each(packs))
    _log.info("the shared state was taken from a snapshot", entry=manifest.position, keys=manifest.entries)


def _each(packs: list[bytes]) -> Iterator[Changes]:
    return (unpack(packed) for packed in packs)


async def _claimed(session: Session, name: str, writer: str) -> bool:
    """Whether it is for this instance to write one: nobody else has said so lately."""
    subject = f"{name}.snapshot.claim"
    last = await session.last(f"{name}-snapshots", subject)
    kept = await session.stream(f"{name}-state")
    now = kept.state.last_ts if kept is not None else None
    if last is not None and now is not None and (now - last.time).total_seconds() < CLAIM_S:
        return False
    number = last.seq if last is not None else 0
    with suppress(WrongPlaceError):
        await session.append(subject, writer.encode(), once=f"{writer}.claim.{number}", after=number)
    await asyncio.sleep(CLAIM_PAUSE_S)  # two may have been let through: the last one counts
    claim = await session.last(f"{name}-snapshots", subject)
    return claim is not None and claim.data == writer.encode()
