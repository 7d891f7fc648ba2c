"""Reads what a store's folder and the device below it are like; measures it with a file of its own, removed at once."""

from __future__ import annotations

import hashlib
import json
import mmap
import os
import pwd
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from oca.common.clock import monotonic_s
from oca.common.errors import StoreError
from oca.store import files
from oca.turnup.judge import DeviceFacts

MEASURED_BYTES = 128 * 2**20
MEASURED_S_MAX = 3.0
CHUNK_BYTES = 4 * 2**20
SMART_TIMEOUT_S = 10.0


def read_device(path: Path, owner: str, *, measure: bool) -> DeviceFacts:
    """Facts of one folder of the store; ``measure``: also how fast it writes and reads, past the page cache."""
    try:
        files.require_folder(path)
    except StoreError as error:
        mend = f"mount its device, then: install -d -o {owner} -g {owner} {path}"
        return DeviceFacts(path=str(path), fault=error.message, remedy=mend)
    number = path.stat().st_dev
    block = Path(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}")
    device = f"/dev/{block.resolve().name}" if block.exists() else ""
    write, read = _measured(path) if measure and os.access(path, os.W_OK) else (0.0, 0.0)
    healthy, why = health_of(device)
    usage = shutil.disk_usage(path)
    return DeviceFacts(
        path=str(path),
        writable=_writable(path, owner),
        on_root=number == Path("/").stat().st_dev,
        file_system=_file_system(path),
        block=device,
        start_bytes=_number(block / "start") * 512,
        free_bytes=usage.free,
        read_bytes_per_s=read,
        write_bytes_per_s=write,
        healthy=healthy,
        health_why=why,
    )


def mounts() -> Iterator[tuple[Path, str, str]]:
    """Mount point, file system and source of everything that is mounted."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        kind, source = after.split()[:2]
        yield Path(before.split()[4].replace("\\040", " ")), kind, source


def _file_system(path: Path) -> str:
    """Of the mount that holds ``path``: the last one of the longest."""
    whole = path.resolve()
    holding = [(len(point.parts), kind) for point, kind, _ in mounts() if whole.is_relative_to(point)]
    return max(holding, key=lambda found: found[0], default=(0, ""))[1]


def _writable(path: Path, owner: str) -> bool:
    """Whether the daemon's user may write there; asked of this process where there is no such user."""
    with suppress(KeyError):
        account, found = pwd.getpwnam(owner), path.stat()
        if found.st_uid == account.pw_uid:
            return bool(found.st_mode & 0o200)
        return bool(found.st_mode & (0o020 if found.st_gid == account.pw_gid else 0o002))
    return os.access(path, os.W_OK)


def _measured(folder: Path) -> tuple[float, float]:
    """Bytes per second written and read past the page cache; 0 where the file system cannot or is too full."""
    if shutil.disk_usage(folder).free < 2 * MEASURED_BYTES:
        return 0.0, 0.0
    path = folder / f".check-{os.getpid()}"
    with mmap.mmap(-1, CHUNK_BYTES) as chunk:  # O_DIRECT wants memory that begins at a page
        chunk.write(hashlib.shake_128(b"not to be compressed").digest(CHUNK_BYTES))
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_DIRECT | os.O_CLOEXEC, 0o600)
        except OSError:
            return 0.0, 0.0
        path.unlink()
        try:
            written, write = _timed(lambda at: os.pwrite(descriptor, chunk, at), MEASURED_BYTES)
            _, read = _timed(lambda at: os.preadv(descriptor, [chunk], at), written)
        except OSError:
            return 0.0, 0.0
        finally:
            os.close(descriptor)
    return write, read


def _timed(move: Callable[[int], int], bytes_max: int) -> tuple[int, float]:
    began, done = monotonic_s(), 0
    while done < bytes_max and monotonic_s() - began < MEASURED_S_MAX:
        moved = move(done)
        if not moved:
            break
        done += moved
    return done, done / max(monotonic_s() - began, 1e-6)


def health_of(device: str) -> tuple[bool | None, str]:
    """Whether SMART calls the device healthy, or None and why that is not known."""
    program = shutil.which("smartctl") or shutil.which("smartctl", path="/usr/sbin:/sbin")
    if not device:
        return None, "no block device is below it"
    if program is None:
        return None, "smartctl is not installed"
    try:
        told = subprocess.run(  # noqa: S603 - a fixed program, and a name that the kernel gave
            [program, "--json", "--health", device], capture_output=True, timeout=SMART_TIMEOUT_S, check=False
        ).stdout
        return bool(json.loads(told)["smart_status"]["passed"]), ""
    except (OSError, subprocess.TimeoutExpired, ValueError, KeyError, TypeError):
        return None, f"{device} does not say (virtual, or this needs root)"


def _number(path: Path) -> int:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return 0
