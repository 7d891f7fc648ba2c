"""Verification names everything that is not as the index promises, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from oca.common.errors import StoreError
from oca.store import files
from oca.store.direct import DirectReader
from oca.store.entries import encode_entry
from oca.store.index import Index
from oca.store.reader import StoreReader
from oca.store.records import Fault
from oca.store.store import Store
from oca.store.verify import verify
from tests.unit.store.made_up import flip_byte, hold

ASSET = "harbour/video-240p"


@pytest.fixture
def pack(store: Store, device: Path) -> Path:
    hold(store, "a/sound")
    hold(store)
    return device / "packs" / "00000002.pack"


def found(store: Store) -> list[tuple[str, str]]:
    return [(fault.asset, fault.what) for fault in verify(store.devices()).faults]


def test_verify_proves_every_object_of_sound_store(store: Store, pack: Path) -> None:
    read: list[int] = []
    proof = verify(store.devices(), on_bytes=read.append)
    assert (proof.packs, proof.objects, proof.faults) == (2, 8, [])
    assert sum(read) == 2 * 20042
    assert proof.bytes == store.use().used_bytes


def test_verify_names_object_whose_bytes_are_wrong(store: Store, pack: Path) -> None:
    flip_byte(pack, 4096 + 2 * 4096 + 5)
    assert found(store) == [(ASSET, f"/{ASSET}/seg-00001.m4s: its bytes do not match its digest")]


@pytest.mark.parametrize(
    ("offset", "what"), [(3, "does not start as a pack"), (30, "its header is damaged"), (-1 - 24, "table is damaged")]
)
def test_verify_names_pack_whose_frame_is_damaged(store: Store, pack: Path, offset: int, what: str) -> None:
    flip_byte(pack, offset % pack.stat().st_size)
    ((asset, said),) = found(store)
    assert asset == ASSET
    assert what in said


def test_verify_names_pack_that_is_gone(store: Store, pack: Path) -> None:
    pack.unlink()
    assert found(store) == [(ASSET, "is gone")]


def test_verify_names_pack_that_holds_something_else(store: Store, pack: Path, device: Path) -> None:
    pack.write_bytes((device / "packs" / "00000001.pack").read_bytes())
    assert any("of a/sound" in what for _, what in found(store))


def test_verify_names_entry_that_differs_from_pack(store: Store, pack: Path, device: Path) -> None:
    index = Index.open(device / "index", writable=True)
    wrong = encode_entry(2, 0, 1, digest=bytes(16), media_type="a/b", modified_at_s=0)
    with index._environment.begin(index._objects, write=True) as transaction:
        transaction.put(f"/{ASSET}/seg-00003.m4s".encode(), wrong)
    index.close()
    assert found(store) == [(ASSET, f"/{ASSET}/seg-00003.m4s: the index says otherwise than the pack")]


def test_verify_names_entries_that_lead_nowhere(store: Store, pack: Path, device: Path) -> None:
    index = Index.open(device / "index", writable=True)
    with index._environment.begin(index._objects, write=True) as transaction:
        transaction.put(b"/ghost", encode_entry(9, 0, 1, digest=bytes(16), media_type="a/b", modified_at_s=0))
    index.close()
    assert found(store) == [("", "names 9 objects, its packs hold 8")]


def test_verify_names_pack_that_index_does_not_name(store: Store, pack: Path, device: Path) -> None:
    (device / "packs" / "00000077.pack").write_bytes(b"?")
    assert found(store) == [("", "lies there, but the index does not name it")]


def test_verify_passes_over_asset_evicted_meanwhile(
    store: Store, pack: Path, device: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = DirectReader.parts

    def evict_first(reader: DirectReader, offset: int, length: int) -> Iterator[memoryview]:
        if reader._path == pack:
            store.evict(ASSET)
            return iter(())
        return read(reader, offset, length)

    monkeypatch.setattr(DirectReader, "parts", evict_first)
    proof = verify(store.devices())
    assert (proof.packs, proof.faults) == (1, [])


def test_verify_names_device_that_fails(store: Store, device: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(folder: Path) -> list[str]:
        raise StoreError(f"{folder}: cannot list: Input/output error", remedy="replace it")

    monkeypatch.setattr(files, "names", fail)
    assert verify(store.devices()).faults == [
        Fault(str(device), "", f"{device / 'packs'}: cannot list: Input/output error")
    ]


def test_verify_runs_beside_a_writer(store: Store, pack: Path, device: Path) -> None:
    reader = StoreReader.open([device])
    assert verify(reader.devices()).faults == []
    reader.close()
