"""A bare Debian 12 to install the package in: made once for this machine, then written to in layers of its own."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from tests.system.side_by_side import one_at_a_time

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "open-appliance"
"""Outside the tree: what is made here takes a minute of processor, and serves every clone on this machine."""
INCLUDED = "python3.11,libpython3.11-stdlib,systemd,systemd-sysv,dbus,iproute2,procps,tzdata"
COMMAND = ("debootstrap", "--variant=minbase", f"--include={INCLUDED}", "bookworm")
KEPT_FOR_S = 30 * 86400
NOT_OURS = ("var/lib/dpkg", "var/lib/apt", "var/log/dpkg.log", "var/log/apt", "var/cache", "tmp", "proc", "dev", "run")
"""What belongs to Debian's own package manager, or to nobody."""


@contextmanager
def bare() -> Iterator[Path]:
    """Its folder, which stays for as long as it is used; made anew for other contents, and after a month.

    It writes without waiting for its disk: whether a file outlives a power cut is dpkg's business, and not tested here.
    """
    made = CACHE / f"debian-{hashlib.sha256(' '.join(COMMAND).encode()).hexdigest()[:16]}"
    with _use_of(made) as use:
        with one_at_a_time(CACHE):
            if not _is_fresh(made) and _is_ours_alone(use):
                _make(made)
            fcntl.flock(use, fcntl.LOCK_SH)
        yield made


def _is_fresh(made: Path) -> bool:
    return made.is_dir() and time.time() - (made / "etc/made").stat().st_mtime < KEPT_FOR_S


def _make(made: Path) -> None:
    """Aside, and then in the place of what was there: that stays where Debian's own updates cannot be had."""
    fresh, old = CACHE / "debian-fresh", CACHE / "debian-old"
    for left in (fresh, old):
        shutil.rmtree(left, ignore_errors=True)
    done = subprocess.run(["nice", *COMMAND, str(fresh)], capture_output=True, text=True, check=False)
    if done.returncode:
        why = f"no bare Debian can be had here: {done.stdout[-500:]}{done.stderr[-500:]}"
        if not made.is_dir():
            pytest.skip(why)
        print(f"{made} is older than a month; {why}")
        return
    (fresh / "etc/dpkg/dpkg.cfg.d/quick").write_text("force-unsafe-io\n")
    shutil.rmtree(fresh / "var/lib/apt/lists")  # so that nothing more than the package is ever fetched
    (fresh / "etc/made").touch()
    if made.is_dir():
        made.rename(old)
    fresh.rename(made)
    for other in set(CACHE.glob("debian-*")) - {made}:
        with _use_of(other) as use:
            if other.is_dir() and _is_ours_alone(use):
                shutil.rmtree(other)


def _use_of(folder: Path) -> IO[str]:
    """A file whose lock whoever uses the folder shares."""
    CACHE.mkdir(parents=True, exist_ok=True)
    return (CACHE / f"used-{folder.name}").open("w")


def _is_ours_alone(use: IO[str]) -> bool:
    try:
        fcntl.flock(use, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class Debian:
    """A Debian of its own in ``folder``: what is written goes to its ``layer``, over the ones below, topmost first."""

    def __init__(self, folder: Path, *below: Path) -> None:
        self.root, self.layer = folder / "root", folder / "layer"
        for each in (self.root, self.layer, folder / "work"):
            each.mkdir(parents=True)
        layers = f"lowerdir={':'.join(map(str, below))},upperdir={self.layer},workdir={folder / 'work'}"
        mounts = (
            f"mount -t overlay overlay -o {layers} {self.root} && mount -t proc proc {self.root}/proc && "
            f"mount --bind /dev {self.root}/dev && echo ready && exec cat"
        )
        self._holder = subprocess.Popen(
            ["unshare", "--mount", "--propagation=private", "sh", "-ec", mounts],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._holder.stdout
        assert self._holder.stdout.readline() == "ready\n"

    def close(self) -> None:
        """Everything that was mounted goes with its name space."""
        self._holder.communicate()

    def command(self, *words: str, user: str = "root") -> list[str]:
        """What runs a command inside, with no more rights than the unit of that user gives."""
        inside = ["nsenter", f"--mount=/proc/{self._holder.pid}/ns/mnt", "chroot", str(self.root)]
        if user != "root":
            rights = ["--inh-caps=-all,+net_bind_service", "--ambient-caps=-all,+net_bind_service"]
            inside += ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", *rights]
        return [*inside, *words]

    def run(
        self, *words: str, user: str = "root", succeeds: bool = True, told: str | bytes | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run it to its end; ``told`` is its standard input."""
        command = self.command(*words, user=user)
        given = told.encode() if isinstance(told, str) else told
        done = subprocess.run(command, input=given, capture_output=True, check=False)
        said = subprocess.CompletedProcess(command, done.returncode, done.stdout.decode(), done.stderr.decode())
        assert done.returncode == 0 or not succeeds, f"{words}: {said.stdout}{said.stderr}"
        return said

    def write(self, path: str, content: str | bytes) -> None:
        """Write a file inside, in folders that are made."""
        self.run("sh", "-c", f"mkdir -p $(dirname {path}) && cat > {path}", told=content)

    def files(self) -> set[str]:
        """Every path, but what is not of packages."""
        told = self.run("find", "/", "-xdev", "-mindepth", "1", "-printf", "%P\\n").stdout.splitlines()
        return {path for path in told if not path.startswith(NOT_OURS)}

    def accounts(self) -> str:
        """Users and groups."""
        return self.run("cat", "/etc/passwd", "/etc/group").stdout


def services(debian: Debian, words: Sequence[str], *, user: str, notify: str, watchdog_s: int) -> list[str]:
    """A unit's ExecStart as its service manager starts it."""
    told = (f"NOTIFY_SOCKET={notify}", f"WATCHDOG_USEC={watchdog_s}000000")
    return debian.command("env", *told, *words, user=user)
