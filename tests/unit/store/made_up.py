"""Assets made up for the store's tests."""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path

from oca.common.digest import digest_hex, revision_of
from oca.common.messages import AssetManifest, ObjectDescription
from oca.store.records import HeldPack
from oca.store.staging import StagedAsset
from oca.store.store import Store

Contents = Mapping[str, bytes]


def make_contents(asset: str = "harbour/video-240p", *, objects: int = 4, size: int = 5000, seed: int = 0) -> Contents:
    """Objects of uneven lengths under paths of the asset."""
    source = random.Random(f"{asset} {seed}")
    return {f"/{asset}/seg-{number:05d}.m4s": source.randbytes(size + number * 7) for number in range(objects)}


def make_manifest(
    contents: Contents, asset: str = "harbour/video-240p", *, modified_at_ns: int = 1_700_000_000_000_000_000
) -> AssetManifest:
    """The manifest of these objects."""
    described = [
        ObjectDescription(path=path, bytes=len(body), digest=digest_hex(body), media_type="video/iso.segment")
        for path, body in contents.items()
    ]
    return AssetManifest(
        asset=asset,
        revision=revision_of([(item.path, item.digest) for item in described]),
        bytes=sum(item.bytes for item in described),
        modified_at_ns=modified_at_ns,
        objects=described,
        sources=[],
    )


def fill(staged: StagedAsset, contents: Contents, *, chunk: int = 1 << 16) -> StagedAsset:
    """Write what is missing, from where the staged asset says it is."""
    bodies = list(contents.values())
    while not staged.whole:
        number, done = staged.position()
        for start in range(done, len(bodies[number]), chunk):
            staged.write(bodies[number][start : start + chunk])
        assert staged.finish_object()
    return staged


def hold(store: Store, asset: str = "harbour/video-240p", *, seed: int = 0, objects: int = 4) -> HeldPack:
    """Put a made-up asset into the store."""
    contents = make_contents(asset, seed=seed, objects=objects)
    staged = store.stage(make_manifest(contents, asset))
    try:
        return fill(staged, contents).commit()
    finally:
        staged.close()


def flip_byte(path: Path, offset: int) -> None:
    """Damage one byte of a file."""
    with path.open("r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 0xFF]))
