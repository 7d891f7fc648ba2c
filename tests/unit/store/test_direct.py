import errno
import os
from pathlib import Path

import pytest

from oca.common.errors import StoreError
from oca.store.direct import open_direct

SIZE = 3 * 2**20 + 777


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(os.urandom(SIZE))
    return path


@pytest.mark.parametrize(("offset", "length"), [(0, SIZE), (4096, 5000), (2**20, 2**20), (SIZE // 4096 * 4096, 9999)])
@pytest.mark.parametrize("refused", [False, True])
def test_direct_reader_gives_bytes_as_they_are(
    file: Path, monkeypatch: pytest.MonkeyPatch, offset: int, length: int, refused: bool
) -> None:
    opened = os.open

    def refuse(path: Path, flags: int) -> int:
        if flags & os.O_DIRECT:
            raise OSError(errno.EINVAL, "no direct reads here")
        return opened(path, flags)

    if refused:
        monkeypatch.setattr(os, "open", refuse)
    reader = open_direct(file)
    assert reader is not None
    got = b"".join(bytes(part) for part in reader.parts(offset, length))
    assert got == file.read_bytes()[offset : offset + length]
    reader.close()


def test_direct_reader_leaves_page_cache_as_it_is(file: Path) -> None:
    os.sync()
    with file.open("rb") as opened:
        os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        reader = open_direct(file)
        assert reader is not None
        assert sum(len(part) for part in reader.parts(0, SIZE)) == SIZE
        reader.close()
        with pytest.raises(BlockingIOError):  # nothing of it is in memory
            os.preadv(opened.fileno(), [bytearray(1)], 8192, os.RWF_NOWAIT)


def test_direct_reader_tells_failing_device_from_missing_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert open_direct(file.with_name("none")) is None

    def fail(*_: object) -> int:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    reader = open_direct(file)
    assert reader is not None
    monkeypatch.setattr(os, "preadv", fail)
    with pytest.raises(StoreError, match="cannot read: Input/output error"):
        list(reader.parts(0, 10))
    reader.close()
    monkeypatch.setattr(os, "open", fail)
    with pytest.raises(StoreError, match="cannot open: Input/output error"):
        open_direct(file)
