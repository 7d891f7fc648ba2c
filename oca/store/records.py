"""What the store tells others about what it holds."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

PULLED = "pulled.object"
"""Begins the asset id of every object that delivery pulled from the origin; no title of a catalogue holds a dot."""

Digest = bytes
"""16 bytes of xxh3-128; an alias, since ``Located`` has a field called ``bytes``."""


class Located(Struct, frozen=True, gc=False):
    """Where an object's bytes lie, and its validators.

    Attributes:
        device: Position of the device among those the store was opened with.
        pack: Number of the pack on that device; never used twice there.
        offset: First byte of the object in the pack's file.
        bytes: Length of the object.
        digest: xxh3-128, 16 bytes.
        media_type: As served.
        modified_at_s: Seconds since 1970, for ``Last-Modified``.
    """

    device: int
    pack: int
    offset: int
    bytes: int
    digest: Digest
    media_type: str
    modified_at_s: int


class HeldPack(Struct, frozen=True, gc=False):
    """One asset that the store holds whole.

    Attributes:
        asset: Its id.
        revision: Which bytes under which paths.
        bytes: What its pack takes on the device, and what evicting it gives back.
        objects: How many URLs it has.
        device: Position of the device among those the store was opened with.
        committed_at_ns: When it became servable.
    """

    asset: str
    revision: str
    bytes: int
    objects: int
    device: int
    committed_at_ns: int


FaultKind = Literal["damaged", "unreadable", "gone", "index", "device"]


PACK_FAULTS: frozenset[FaultKind] = frozenset({"damaged", "unreadable", "gone"})


class Fault(Struct, frozen=True):
    """Something that is not as promised. ``asset`` is empty where none can be named.

    Kinds: a pack is *damaged* (its bytes or the index's word are wrong), *unreadable* (the device fails) or *gone*;
    the *index* is wrong; the *device* cannot be looked at. The first three tell against the pack itself.
    """

    where: str
    asset: str
    what: str
    kind: FaultKind = "device"
