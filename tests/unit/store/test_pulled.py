import os
import time
from pathlib import Path

import pytest

from oca.common.errors import StoreFullError
from oca.store import files
from oca.store.pulled import FOLDER, Described, Following, Part, PulledPool

PATH = "/film/1.m4s"
BODY = b"segment" * 1000
NOW_S = time.time()


def described(path: str = PATH, size: int = len(BODY)) -> Described:
    return Described(path, size, "video/mp4", 1_000_000, 60)


def put(pool: PulledPool, path: str = PATH, *, fresh_s: float = 60) -> None:
    part = pool.claim(path)
    assert isinstance(part, Part)
    part.begin(described(path))
    part.write(BODY, 0)
    part.commit(described(path), bytes(16), now_s=NOW_S, fresh_until_s=NOW_S + fresh_s)
    os.close(part.descriptor)


def held_on(pool: PulledPool, path: str) -> int | None:
    """The device that the object of that path is found on."""
    found = pool.find(path, NOW_S)
    if found is None:
        return None
    os.close(found.descriptor)
    return found.device


def names(device: Path) -> list[str]:
    return sorted(file.suffix for file in (device / FOLDER).iterdir())


@pytest.fixture
def pool(tmp_path: Path) -> PulledPool:
    return PulledPool([tmp_path], space_ratio=0.5)


def test_pool_finds_object_once_it_is_whole_and_while_it_is_fresh(pool: PulledPool) -> None:
    assert pool.find(PATH, NOW_S) is None
    put(pool)
    found = pool.find(PATH, NOW_S + 20)
    assert found is not None
    assert os.pread(found.descriptor, len(BODY), found.offset) == BODY
    assert (found.described.bytes, found.described.modified_at_s, found.described.fresh_s) == (len(BODY), 1_000_000, 40)
    assert found.asset.startswith("pulled.object/")
    os.close(found.descriptor)
    assert pool.find("/film/2.m4s", NOW_S) is None
    assert pool.find(PATH, NOW_S + 60) is None


def test_pool_passes_over_damaged_and_swapped_files(pool: PulledPool, tmp_path: Path) -> None:
    put(pool)
    put(pool, "/film/2.m4s")
    first, second = sorted((tmp_path / FOLDER).iterdir())
    taken = second.read_bytes()
    mtime = second.stat().st_mtime
    first.write_bytes(taken)
    os.utime(first, (mtime, mtime))
    second.write_bytes(taken[:-1])
    os.utime(second, (mtime, mtime))
    assert pool.find(PATH, NOW_S) is None
    assert pool.find("/film/2.m4s", NOW_S) is None


def test_pool_lets_one_write_and_others_follow(pool: PulledPool) -> None:
    part, other = pool.claim(PATH), pool.claim(PATH)
    assert isinstance(part, Part)
    assert isinstance(other, Following)
    assert other.look() == (None, 0, True)
    part.begin(described())
    part.write(BODY[:100], 0)
    assert other.look() == (described(), 100, True)
    part.write(BODY[100:], 100)
    part.commit(described(), bytes(16), now_s=NOW_S, fresh_until_s=NOW_S + 60)
    assert other.look()[:2] == (described(), len(BODY))  # what follows the object in the file is none of it
    os.close(part.descriptor)
    os.close(other.descriptor)


@pytest.mark.parametrize("ending", ["dies", "gives up"])
def test_pool_tells_followers_of_writer_that_ended(pool: PulledPool, ending: str) -> None:
    part, other = pool.claim(PATH), pool.claim(PATH)
    assert isinstance(part, Part)
    assert isinstance(other, Following)
    part.begin(described())
    if ending == "gives up":
        part.discard()
    os.close(part.descriptor)
    assert other.look() == (described(), 0, False)
    again = pool.claim(PATH)
    assert isinstance(again, Part)
    os.close(again.descriptor)
    os.close(other.descriptor)


def test_pool_takes_next_device_where_one_fails_and_none_where_all_do(tmp_path: Path) -> None:
    (tmp_path / "whole").mkdir()
    pool = PulledPool([tmp_path / "gone", tmp_path / "whole"], space_ratio=0.5)
    for number in range(8):
        put(pool, f"/film/{number}.m4s")
        found = pool.find(f"/film/{number}.m4s", NOW_S)
        assert found is not None
        os.close(found.descriptor)
    assert PulledPool([tmp_path / "gone"], space_ratio=0.5).claim(PATH) is None
    assert PulledPool([tmp_path / "whole"], space_ratio=0).claim(PATH) is None


def test_pool_touches_no_device_that_is_out(tmp_path: Path) -> None:
    devices = [tmp_path / "first", tmp_path / "second"]
    for device in devices:
        device.mkdir()
    pool = PulledPool(devices, space_ratio=0.5)
    paths = [f"/film/{number}.m4s" for number in range(16)]
    for path in paths:
        put(pool, path)
    where = {path: held_on(pool, path) for path in paths}
    assert set(where.values()) == {0, 1}
    held = {device: names(device) for device in devices}
    pool.leave_out({1: False})
    assert [held_on(pool, path) for path in paths] == [0 if where[path] == 0 else None for path in paths]
    assert pool.sweep(NOW_S + 120) == len(held[devices[0]])
    for number in range(8):
        part = pool.claim(f"/quay/{number}")
        assert part is not None
        assert part.device == 0
        os.close(part.descriptor)
    assert pool.sweep(NOW_S + 120) == 8  # parts that nobody writes
    assert names(devices[1]) == held[devices[1]]
    pool.leave_out({1: True})
    assert pool.sweep(NOW_S + 120) == len(held[devices[1]])


def test_part_refuses_object_that_device_has_no_room_for(pool: PulledPool) -> None:
    part = pool.claim(PATH)
    assert isinstance(part, Part)
    with pytest.raises(StoreFullError, match="no room for it"):
        part.begin(described(size=2**60))
    os.close(part.descriptor)


def test_sweep_removes_stale_and_abandoned_and_leaves_what_is_written(pool: PulledPool, tmp_path: Path) -> None:
    assert pool.sweep(NOW_S) == 0
    put(pool, "/film/stale", fresh_s=10)
    put(pool, "/film/fresh")
    dead, living = pool.claim("/film/dead"), pool.claim("/film/living")
    assert dead is not None
    assert living is not None
    os.close(dead.descriptor)
    assert pool.sweep(NOW_S + 20) == 2
    assert names(tmp_path) == [".pack", ".part"]
    os.close(living.descriptor)


def test_sweep_removes_oldest_beyond_the_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pool = PulledPool([tmp_path], space_ratio=0.5)
    for number in range(4):
        put(pool, f"/film/{number}")
    size = next((tmp_path / FOLDER).iterdir()).stat().st_size
    monkeypatch.setattr(files, "space", lambda _: (5 * size, 0))  # two and a half fit
    assert pool.sweep(NOW_S) == 2
    assert pool.find("/film/0", NOW_S) is pool.find("/film/1", NOW_S) is None
    for number in (2, 3):
        found = pool.find(f"/film/{number}", NOW_S)
        assert found is not None
        os.close(found.descriptor)
