"""A Linux guest on another kernel than its host's: Debian's, booted by QEMU under software emulation.

It runs a module of this repository with the Python, the packages and the libraries of the host, at the same paths,
from an NVMe disk, and hands back one JSON value. Speed there means nothing.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from tests.system.guest_disk import ROOT, find_program, make_disk, output

CACHE = ROOT / ".demo" / "guest"
"""The kernel stays here between runs."""
KERNEL = "linux-image-cloud-amd64"
BOOT_S_MAX = 240
_NEEDED = {
    "qemu-system-x86_64": "qemu-system-x86",
    "busybox": "busybox-static",
    "mkfs.ext4": "e2fsprogs",
}
_INIT = """#!/bin/busybox sh
exec >/dev/console 2>&1
bb=/bin/busybox
$bb mount -t proc proc /proc
$bb mount -t sysfs sys /sys
$bb mount -t devtmpfs dev /dev
$bb ip link set lo up
for module in {modules}; do $bb insmod "/modules/$module" || echo "insmod $module failed"; done
$bb mount -t ext4 /dev/nvme0n1 /disk
for each in proc sys dev; do $bb mount --move "/$each" "/disk/$each"; done
exec >/disk/dev/console 2>&1
$bb mkdir -p /disk/dev/shm
$bb mount -t tmpfs shm /disk/dev/shm
PYTHONPATH={path} LD_LIBRARY_PATH={libraries} $bb chroot /disk {python} -B -m {module} >/disk/dev/ttyS1
echo "status $?"
$bb sync
$bb poweroff -f
"""


class UnavailableError(Exception):
    """What a guest needs cannot be had here."""


def run(module: str, folder: Path, *, modules: Sequence[str]) -> Any:
    """Boot with the kernel's ``modules`` loaded, run ``module``, power off.

    Returns:
        The last line that it printed, as JSON.

    Raises:
        UnavailableError: A program or the kernel cannot be had.
        AssertionError: The guest took too long or printed no JSON; the end of its console is in the message.
    """
    missing = sorted(package for program, package in _NEEDED.items() if find_program(program) is None)
    if missing:
        raise UnavailableError(f"missing: {' '.join(missing)}; run scripts/debian.sh")
    kernel = _kernel()
    python = Path(sys.base_prefix, "bin", f"python{sys.version_info.major}.{sys.version_info.minor}")
    disk, libraries = make_disk(folder, python)
    order = _load_order(kernel, modules)
    init = _INIT.format(
        modules=" ".join(path.name for path in order),
        path=f"{ROOT}:{sysconfig.get_path('purelib')}",
        libraries=":".join(libraries),
        python=python,
        module=module,
    )
    initramfs = _initramfs(folder, init, order)
    console, said = folder / "console", folder / "said"
    command = [
        *("qemu-system-x86_64", "-accel", "tcg", "-cpu", "max", "-m", "1024"),
        *("-nographic", "-nodefaults", "-no-reboot"),
        *("-kernel", str(next(kernel.glob("boot/vmlinuz-*"))), "-initrd", str(initramfs)),
        *("-append", "console=ttyS0 quiet panic=-1"),
        *("-drive", f"file={disk},if=none,id=disk,format=raw,cache=unsafe", "-device", "nvme,drive=disk,serial=disk"),
        *("-serial", f"file:{console}", "-serial", f"file:{said}", "-monitor", "none"),
    ]
    with contextlib.suppress(subprocess.TimeoutExpired):
        subprocess.run(command, timeout=BOOT_S_MAX, check=True, stdin=subprocess.DEVNULL)
    disk.unlink()
    try:
        return msgspec.json.decode(said.read_bytes().splitlines()[-1])
    except (OSError, IndexError, msgspec.DecodeError) as error:
        end = console.read_text(errors="replace")[-4000:]
        raise AssertionError(f"the guest printed no JSON ({error}); its console ends:\n{end}") from None


def _kernel() -> Path:
    """Debian's newest kernel package, unpacked, never installed."""
    try:
        depends = output("apt-cache", "depends", KERNEL)
        package = re.search(r"Depends: (linux-image-\S+)", depends)
        if package is None:
            raise UnavailableError(f"apt knows no {KERNEL}: run apt-get update")
        kernel = CACHE / package[1]
        if not kernel.exists():
            fresh = CACHE / "fresh"
            shutil.rmtree(fresh, ignore_errors=True)
            fresh.mkdir(parents=True)
            output("apt-get", "download", "-qq", package[1], cwd=fresh)
            (archive,) = fresh.glob("*.deb")
            output("dpkg", "-x", str(archive), str(fresh))
            archive.unlink()
            fresh.rename(kernel)
    except (OSError, subprocess.CalledProcessError) as error:
        raise UnavailableError(f"{KERNEL} cannot be downloaded: {getattr(error, 'stderr', '') or error}") from None
    return kernel


def _load_order(kernel: Path, names: Iterable[str]) -> list[Path]:
    """The files of the modules, each after those it depends on, as the modules themselves say."""
    files = {path.stem.replace("-", "_"): path for path in kernel.glob("lib/modules/*/kernel/**/*.ko")}
    order: dict[Path, None] = {}

    def add(name: str) -> None:
        path = files[name.replace("-", "_")]
        depends = re.search(rb"\0depends=([^\0]*)\0", path.read_bytes())
        for each in filter(None, depends[1].decode().split(",") if depends else ()):
            add(each)
        order[path] = None

    for name in names:
        add(name)
    return list(order)


def _initramfs(folder: Path, init: str, modules: Iterable[Path]) -> Path:
    stage = folder / "initramfs"
    for each in ("bin", "modules", "proc", "sys", "dev", "disk"):
        (stage / each).mkdir(parents=True)
    shutil.copy(str(find_program("busybox")), stage / "bin" / "busybox")
    for path in modules:
        shutil.copy(path, stage / "modules")
    (stage / "init").write_text(init)
    (stage / "init").chmod(0o755)
    names = "".join(f"{path.relative_to(stage)}\n" for path in stage.rglob("*"))
    archive = subprocess.run(
        ["busybox", "cpio", "-o", "-H", "newc"], input=names.encode(), capture_output=True, check=True, cwd=stage
    )
    (folder / "initramfs.cpio").write_bytes(archive.stdout)
    return folder / "initramfs.cpio"
