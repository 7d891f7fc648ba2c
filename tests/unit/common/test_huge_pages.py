from __future__ import annotations

import ctypes
import errno
import mmap
import re
from collections.abc import Callable
from contextlib import suppress
from itertools import islice
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from oca.common import huge_pages
from oca.common.huge_pages import HUGE_BYTES, REFUSED_MAX, REFUSED_REST_S, HugePages, blocks, turn

MAPS = """\
00400000-00800000 r-xp 00000000 08:01 12 /usr/bin/python3
00800000-00c00000 rw-p 00000000 08:01 12 /usr/bin/python3
00c01000-01200000 rw-p 00000000 00:00 0 [heap]
01300000-01500000 rw-p 00000000 00:00 0
02000000-02600000 rw-p 00000000 00:00 0
03000000-03400000 rw-s 00000000 00:01 7 /dev/zero (deleted)
04000000-04400000 r--p 00000000 00:00 0
05000000-05400000 rw-p 00000000 00:00 0 [stack]
"""


def test_blocks_are_whole_and_of_memory_of_our_own() -> None:
    assert [f"{block:x}" for block in blocks(MAPS)] == ["e00000", "1000000", "2000000", "2200000", "2400000"]


class Memory:
    """Fresh memory with room for four blocks; none comes in a huge page by itself, however the machine is set."""

    def __init__(self) -> None:
        self.mapping = mmap.mmap(-1, 5 * HUGE_BYTES, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        with suppress(OSError):  # a kernel without huge pages
            self.mapping.madvise(mmap.MADV_NOHUGEPAGE)
        begins = ctypes.addressof(ctypes.c_char.from_buffer(self.mapping))
        self.begins = -(-begins // HUGE_BYTES) * HUGE_BYTES
        self._head_bytes = self.begins - begins

    def touch(self, block: int, share: float) -> None:
        """Use a share of a block's pages."""
        begins = self.begins + block * HUGE_BYTES
        for address in range(begins, begins + int(HUGE_BYTES * share), mmap.PAGESIZE):
            ctypes.memset(address, 1, 1)

    def let(self, block: int) -> None:
        """Let a block be moved."""
        with suppress(OSError):
            self.mapping.madvise(mmap.MADV_HUGEPAGE, self._head_bytes + block * HUGE_BYTES, HUGE_BYTES)

    @property
    def maps(self) -> str:
        return f"{self.begins:x}-{self.begins + 4 * HUGE_BYTES:x} rw-p 00000000 00:00 0\n"

    def huge_bytes(self) -> int:
        """How much of it, and of what the kernel has beside it, is in huge pages."""
        total = 0
        for span in re.split(r"(?m)^(?=[0-9a-f]+-[0-9a-f]+ )", Path("/proc/self/smaps").read_text())[1:]:
            begins, ends = (int(text, 16) for text in span.split(maxsplit=1)[0].split("-"))
            if begins < self.begins + 4 * HUGE_BYTES and ends > self.begins:
                total += 1024 * int(re.findall(r"AnonHugePages: +(\d+)", span)[0])
        return total


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """One that is set to give huge pages to who asks."""
    (tmp_path / "enabled").write_text("always [madvise] never\n")
    monkeypatch.setattr(huge_pages, "ENABLED", tmp_path / "enabled")
    monkeypatch.setattr(huge_pages, "MAPS", tmp_path / "maps")
    return tmp_path


@pytest.fixture
def memory(machine: Path) -> Memory:
    made = Memory()
    (machine / "maps").write_text(made.maps)
    return made


def moved_by(pages: HugePages) -> tuple[list[int], list[tuple[str, int, str]]]:
    """What a round yields, and what it logs."""
    with capture_logs() as logs:
        yielded = list(pages.move())
    return yielded, [(line["event"], line["mb"], line.get("why", "")) for line in logs]


class Kernel:
    """Answers as it is told to; ``asked`` for so many blocks."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, in_use: int) -> None:
        self.asked, self.now_s = 0, 1e6
        self.codes: Callable[[int], int] = lambda number: 0
        monkeypatch.setattr(huge_pages, "_why_not", lambda: "")
        monkeypatch.setattr(huge_pages, "_blocks_in_use", lambda: iter(range(in_use)))
        monkeypatch.setattr(huge_pages, "_collapse", self.collapse)
        monkeypatch.setattr(huge_pages, "monotonic_s", lambda: self.now_s)

    def collapse(self, block: int) -> int:
        self.asked += 1
        return self.codes(block)


def test_memory_in_use_moves_into_huge_pages_and_stays_there(memory: Memory) -> None:
    memory.touch(0, 1)
    memory.touch(1, 0.5)
    memory.touch(3, 0.97)
    before, pages = memory.huge_bytes(), HugePages()
    memory.let(0)
    memory.let(3)
    if why := huge_pages._why_not():
        assert moved_by(pages) == ([], [("memory is not moved into huge pages", 0, why)])
        return
    if refused := huge_pages._collapse(memory.begins):  # a machine that moves none has to say so
        assert moved_by(pages) == ([0, 0], [("memory is not moved into huge pages", 0, errno.errorcode[refused])])
        return
    if huge_pages._collapse(memory.begins + 3 * HUGE_BYTES):
        assert sum(moved_by(pages)[0]) == HUGE_BYTES  # it has one huge page, and no second one
        return
    assert moved_by(pages) == ([HUGE_BYTES] * 2, [("memory moved into huge pages", 4, "")])
    assert memory.huge_bytes() == before + 2 * HUGE_BYTES
    assert moved_by(pages) == ([HUGE_BYTES] * 2, [])
    assert memory.huge_bytes() == before + 2 * HUGE_BYTES


def test_memory_that_goes_meanwhile_is_passed_over(machine: Path) -> None:
    begins = 2**40  # far from programs, heaps and libraries
    (machine / "maps").write_text(f"{begins:x}-{begins + 4 * HUGE_BYTES:x} rw-p 00000000 00:00 0\n")
    assert moved_by(HugePages()) == ([], [])
    assert huge_pages._collapse(begins) in (errno.ENOMEM, errno.EINVAL)  # the latter before Linux 6.1


def test_memory_stays_for_good_where_the_kernel_has_no_such_call(
    memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory.touch(0, 1)
    monkeypatch.setattr(huge_pages, "_MADV_COLLAPSE", 99)
    pages = HugePages()
    assert moved_by(pages) == ([0], [("memory is not moved into huge pages", 0, "EINVAL")])
    monkeypatch.setattr(huge_pages, "_MADV_COLLAPSE", 25)
    assert moved_by(pages) == ([], [])


@pytest.mark.parametrize(
    "lacks",
    [("ENABLED", "always madvise [never]\n", "never"), ("ENABLED", "", "never"), ("PAGEMAP", "", "no pagemap")],
)
def test_memory_stays_where_the_machine_is_set_so_or_cannot_tell(
    lacks: tuple[str, str, str], memory: Memory, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    name, said, why = lacks
    monkeypatch.setattr(huge_pages, "_collapse", lambda _: 0)
    memory.touch(0, 1)
    pages = HugePages()
    with monkeypatch.context() as patch:
        patch.setattr(huge_pages, name, tmp_path / "file")
        if said:
            (tmp_path / "file").write_text(said)
        assert moved_by(pages) == ([], [("memory is not moved into huge pages", 0, why)])
    assert moved_by(pages) == ([HUGE_BYTES], [("memory moved into huge pages", 2, "")])


@pytest.mark.parametrize(("code", "name"), [(errno.ENOMEM, "ENOMEM"), (errno.EAGAIN, "EAGAIN"), (errno.EPERM, "EPERM")])
def test_kernel_that_refuses_block_after_block_is_asked_again_an_hour_later(
    code: int, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel, pages = Kernel(monkeypatch, 100), HugePages()
    kernel.codes = lambda block: 0 if block < 3 else code
    yielded = [*[HUGE_BYTES] * 3, *[0] * REFUSED_MAX]
    assert moved_by(pages) == (yielded, [("memory is not moved into huge pages", 6, name)])
    kernel.now_s += REFUSED_REST_S - 1
    assert moved_by(pages) == ([], [])
    kernel.now_s += 1
    assert moved_by(pages) == (yielded, [])
    assert kernel.asked == 2 * len(yielded)


def test_kernel_that_refuses_a_block_now_and_then_is_asked_for_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel, pages = Kernel(monkeypatch, 100), HugePages()
    kernel.codes = lambda block: 0 if block % REFUSED_MAX == 0 else errno.EINVAL
    for told in ([("memory moved into huge pages", 14, "")], []):
        yielded, logged = moved_by(pages)
        assert (len(yielded), sum(yielded), logged) == (100, 7 * HUGE_BYTES, told)


def test_each_refused_block_ends_a_step_of_who_is_in_no_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = Kernel(monkeypatch, 100)
    kernel.codes = lambda block: errno.ENOMEM
    assert list(islice(HugePages().move(), 5)) == [0] * 5
    assert kernel.asked == 5


def test_turn_is_over_after_what_took_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = Kernel(monkeypatch, 7)

    def moved(block: int) -> int:
        kernel.now_s += 0.004 if block in (2, 3, 6) else 0.000_004
        return 0

    kernel.codes, moves = moved, HugePages().move()
    turns = [turn(moves) for _ in range(5)]
    assert [took_s is not None for took_s in turns] == [True, True, True, False, False]
    assert [took_s for took_s in turns if took_s is not None] == pytest.approx([0.004, 0.004, 0.004], rel=0.01)
