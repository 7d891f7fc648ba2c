"""An asset on its way in: exact bytes only, resumed inside an object, committed whole or not at all."""

from __future__ import annotations

import errno
import os
import random
from itertools import pairwise
from pathlib import Path

import pytest

from oca.common.errors import StoreError
from oca.store import files, pack
from oca.store.staging import LET_GO_BYTES, LET_GO_FACTOR, StagedAsset, pack_bytes
from oca.store.store import Store
from oca.store.tail import STEP_BYTES
from oca.store.verify import verify
from tests.unit.store.made_up import Contents, fill, flip_byte, make_contents, make_manifest

CONTENTS = make_contents()
MANIFEST = make_manifest(CONTENTS)
BODIES = list(CONTENTS.values())
STARTS = pack.offsets([len(body) for body in BODIES])


def stage_and_write(store: Store, count: int) -> StagedAsset:
    """The first ``count`` bytes of the asset, as a fetch would write them."""
    staged = store.stage(MANIFEST)
    for body in BODIES:
        staged.write(body[:count])
        if count < len(body):
            break
        assert staged.finish_object()
        count -= len(body)
    return staged


def part_of(device: Path) -> Path:
    (part,) = (device / "staging").iterdir()
    return part


def faults(store: Store) -> list[object]:
    return list(verify(store.devices()).faults)


def test_staged_asset_commits_what_was_written(store: Store, device: Path) -> None:
    held = fill(store.stage(MANIFEST), CONTENTS, chunk=777).commit()
    assert (held.asset, held.revision, held.objects) == (MANIFEST.asset, MANIFEST.revision, 4)
    assert held.bytes == pack_bytes(MANIFEST) == (device / "packs" / "00000001.pack").stat().st_size
    assert store.assets() == [held]
    assert faults(store) == []
    assert list((device / "staging").iterdir()) == []


@pytest.mark.parametrize("count", [0, 1, 4999, 5000, 5001, 5000 + 5007 - 1, 5000 + 5007, sum(map(len, BODIES))])
def test_staged_asset_resumes_where_it_was_cut(store: Store, device: Path, count: int) -> None:
    stage_and_write(store, count).close()
    staged = store.stage(MANIFEST)
    index, offset = staged.position()
    assert sum(map(len, BODIES[:index])) + offset == count == staged.bytes_done
    fill(staged, CONTENTS).commit()
    assert faults(store) == []


def test_staged_asset_resumes_at_any_length_of_its_part(store: Store, device: Path) -> None:
    stage_and_write(store, sum(map(len, BODIES))).close()
    whole = part_of(device).read_bytes()
    for length in random.Random(4).sample(range(len(whole)), 40):
        (path := part_of(device)).write_bytes(whole[:length])
        staged = store.stage(MANIFEST)
        assert staged.bytes_done == sum(
            min(max(0, length - start), len(body)) for start, body in zip(STARTS, BODIES, strict=False)
        )
        fill(staged, CONTENTS)
        staged.close()
        assert path.read_bytes() == whole


def test_staged_asset_goes_back_to_object_whose_bytes_on_device_are_wrong(store: Store, device: Path) -> None:
    stage_and_write(store, 12_000).close()
    flip_byte(part_of(device), STARTS[1] + 10)
    staged = store.stage(MANIFEST)
    assert staged.position() == (1, 0)
    assert fill(staged, CONTENTS).commit()
    assert faults(store) == []


@pytest.mark.parametrize("garbage", [b"", b"short", b"\0" * 5000, b"OCAPACK\x01" + b"\xff" * 6000])
def test_staged_asset_starts_over_on_part_that_is_no_part(store: Store, device: Path, garbage: bytes) -> None:
    store.stage(MANIFEST).close()
    part_of(device).write_bytes(garbage)
    staged = store.stage(MANIFEST)
    assert staged.position() == (0, 0)
    fill(staged, CONTENTS).commit()
    assert faults(store) == []


def test_staged_asset_cuts_back_object_with_wrong_digest(store: Store) -> None:
    staged = store.stage(MANIFEST)
    staged.write(BODIES[0])
    assert staged.finish_object()
    staged.write(bytes(len(BODIES[1])))
    assert not staged.finish_object()
    assert staged.position() == (1, 0)
    fill(staged, CONTENTS).commit()
    assert faults(store) == []


def test_staged_asset_cuts_back_object_that_is_short(store: Store) -> None:
    staged = store.stage(MANIFEST)
    staged.write(BODIES[0][:100])
    assert staged.position() == (0, 100)
    assert not staged.finish_object()
    assert staged.position() == (0, 0)


def test_staged_asset_refuses_more_bytes_than_object_has(store: Store) -> None:
    staged = store.stage(MANIFEST)
    staged.write(BODIES[0][:-1])
    with pytest.raises(StoreError, match="more bytes came"):
        staged.write(b"xy")
    staged.write(BODIES[0][-1:])
    assert staged.finish_object()


def test_staged_asset_refuses_bytes_after_its_end(store: Store) -> None:
    staged = fill(store.stage(MANIFEST), CONTENTS)
    with pytest.raises(StoreError, match="more bytes came"):
        staged.write(b"x")


def test_staged_asset_refuses_commit_before_it_is_whole(store: Store) -> None:
    staged = stage_and_write(store, 12_000)
    with pytest.raises(StoreError, match=r"seg-00002\.m4s: is not here yet"):
        staged.commit()
    assert store.assets() == []


def test_staged_asset_refuses_use_after_close(store: Store) -> None:
    staged = store.stage(MANIFEST)
    staged.close()
    staged.close()
    with pytest.raises(StoreError, match="is closed"):
        staged.write(b"x")


def test_staged_asset_holds_empty_objects(store: Store) -> None:
    contents: Contents = {"/a/b/empty.vtt": b"", "/a/b/one.vtt": b"1", "/a/b/last.vtt": b""}
    staged = store.stage(make_manifest(contents, "a/b"))
    while not staged.whole:
        number, _ = staged.position()
        staged.write(list(contents.values())[number])
        assert staged.finish_object()
    staged.commit()
    assert faults(store) == []


def test_staged_asset_completes_short_writes(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    pwrite = os.pwrite
    monkeypatch.setattr(
        os, "pwrite", lambda descriptor, data, offset: pwrite(descriptor, memoryview(data)[:100], offset)
    )
    fill(store.stage(MANIFEST), CONTENTS).commit()
    assert faults(store) == []


def test_staged_asset_goes_on_after_device_was_full(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    pwrite = os.pwrite
    contents = make_contents(size=3 * STEP_BYTES)
    body = next(iter(contents.values()))
    staged = store.stage(make_manifest(contents))
    staged.write(body[:1000])

    def half_then_full(descriptor: int, data: memoryview, offset: int) -> int:
        if len(data) < STEP_BYTES or offset > STEP_BYTES:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return pwrite(descriptor, data[: len(data) // 2], offset)

    with monkeypatch.context() as full:
        full.setattr(os, "pwrite", half_then_full)
        with pytest.raises(StoreError, match="No space left") as caught:
            staged.write(body[1000:])
    assert "free space" in caught.value.remedy
    assert staged.position() == (0, 1000)
    fill(staged, contents).commit()
    assert faults(store) == []


def test_staged_asset_can_be_committed_again_after_device_was_full(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    staged = fill(store.stage(MANIFEST), CONTENTS)

    def is_full(descriptor: int, data: memoryview, offset: int) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as full:
        full.setattr(os, "pwrite", is_full)
        with pytest.raises(StoreError, match="No space left"):
            staged.commit()
    assert store.assets() == []
    staged.commit()
    assert faults(store) == []


def test_staged_asset_goes_on_from_what_was_written_when_its_writer_was_killed(store: Store, device: Path) -> None:
    contents = make_contents(size=3 * STEP_BYTES)
    manifest = make_manifest(contents)
    first, second, *_ = contents.values()
    staged = store.stage(manifest)
    staged.write(first)
    assert staged.finish_object()
    staged.write(second[:-1])
    arrived = len(first) + len(second) - 1
    killed = part_of(device).read_bytes()
    staged.close()
    part_of(device).write_bytes(killed)  # as if it had not been closed
    again = store.stage(manifest)
    assert arrived - STEP_BYTES - pack.PAGE_BYTES < again.bytes_done <= arrived
    fill(again, contents).commit()
    assert faults(store) == []


def test_staged_asset_is_given_up_when_device_fails_to_sync(
    store: Store, device: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    staged = fill(store.stage(MANIFEST), CONTENTS)

    def fail(descriptor: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as sick:
        sick.setattr(os, "fsync", fail)
        with pytest.raises(StoreError, match="cannot sync: Input/output error"):
            staged.commit()
    assert list((device / "staging").iterdir()) == []
    assert list((device / "packs").iterdir()) == []
    assert store.assets() == []
    with pytest.raises(StoreError, match="cannot sync"):  # the device is out
        store.stage(MANIFEST)


def test_staged_asset_can_be_committed_again_after_index_refused_it(device: Path) -> None:
    store = Store.open([device], map_bytes=64 * 1024)
    contents = make_contents(objects=600, size=8)
    staged = fill(store.stage(make_manifest(contents)), contents)
    with pytest.raises(StoreError, match="reached its limit of 65536 bytes") as caught:
        staged.commit()
    assert "oca store remove" in caught.value.remedy
    assert store.assets() == []
    assert staged.path.exists()
    store.close()
    store = Store.open([device])
    staged = store.stage(make_manifest(contents))
    assert staged.whole
    staged.commit()
    assert faults(store) == []
    store.close()


def test_staged_asset_lets_go_of_pages_as_it_grows(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    let_go: list[tuple[int, int]] = []
    done = files.let_go

    def note(descriptor: int, offset: int, length: int) -> None:
        let_go.append((offset, offset + length))
        done(descriptor, offset, length)

    monkeypatch.setattr(files, "let_go", note)
    monkeypatch.setattr(files, "set_direct", lambda _descriptor, *, on: False)
    size = 100 * 2**20
    contents = {"/film/1.m4s": bytes(size), "/film/2.m4s": b"end"}
    staged = store.stage(make_manifest(contents, "film/v"))
    for start in range(0, size, 2**20):
        staged.write(bytes(2**20))
        written = 4096 + start + 2**20
        assert written - max((end for _, end in let_go), default=0) < LET_GO_BYTES + 2**20
    assert staged.finish_object()
    for (first, end), (later, _) in pairwise(let_go):
        assert later <= end  # nothing is left between
        assert later >= first
    assert len([start for start, _ in let_go if start <= 2**20]) >= LET_GO_FACTOR - 1  # the first MiB time and again
    let_go.clear()
    staged.close()
    again = store.stage(make_manifest(contents, "film/v"))
    assert again.position() == (1, 0)
    assert len(let_go) >= size // (LET_GO_BYTES + 2**20) - 1  # what is read to go on is let go of, too
    again.close()
