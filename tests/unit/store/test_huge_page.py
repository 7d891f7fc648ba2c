import ctypes
import mmap
from pathlib import Path

import pytest

from oca.common.huge_pages import HUGE_BYTES
from oca.store.huge_page import in_huge_page
from oca.store.tail import STEP_BYTES, Tail

SETTING = Path("/sys/kernel/mm/transparent_hugepage")


def address_of(view: memoryview) -> int:
    return ctypes.addressof(ctypes.c_char.from_buffer(view))


def flags_at(address: int) -> list[str]:
    """What the kernel was told of the memory there (proc(5), smaps)."""
    here = False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        name, *rest = line.split()
        if not name.endswith(":"):
            begin, end = (int(part, 16) for part in name.split("-"))
            here = begin <= address < end
        elif here and name == "VmFlags:":
            return rest
    return []


def test_buffer_lies_at_the_start_of_a_huge_page() -> None:
    view = in_huge_page(STEP_BYTES)
    assert (len(view), address_of(view) % HUGE_BYTES) == (STEP_BYTES, 0)
    assert view == bytes(STEP_BYTES)
    view[:] = b"x" * STEP_BYTES
    if SETTING.exists():
        assert "hg" in flags_at(address_of(view))


def test_tail_writes_from_a_huge_page(tmp_path: Path) -> None:
    with (tmp_path / "part").open("w+b") as file:
        tail = Tail(file.fileno(), tmp_path / "part")
        assert address_of(tail._buffer) % HUGE_BYTES == 0
        tail.go_to(0)
        tail.append(b"a" * STEP_BYTES)
        tail.append(b"b")
        tail.settle()
    assert (tmp_path / "part").read_bytes() == b"a" * STEP_BYTES + b"b"


def test_buffer_is_had_from_kernel_without_huge_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mmap, "MADV_HUGEPAGE", 2**20)  # what it does not know is refused with EINVAL
    view = in_huge_page(4096)
    view[:1] = b"x"
    assert bytes(view[:2]) == b"x\0"
