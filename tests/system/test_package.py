"""The Debian package on a bare Debian 12: installed, started as its unit does, upgraded under load, removed."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import urllib.request
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from oca.turnup.kernel import KERNEL, MODULES
from tests.system.test_reload import Manager, is_gone
from tests.system.test_serve import WAIT_S, wait_until
from tests.system.test_units import Unit

pytestmark = pytest.mark.system

ROOT = Path(__file__).resolve().parents[2]
BARE = ROOT / ".demo" / "debian" / "bookworm"
"""A bare Debian with what the package depends on; kept between runs."""
INCLUDED = "python3.11,libpython3.11-stdlib,systemd,systemd-sysv,dbus,iproute2,procps,tzdata"
HOST = "127.0.76.11"
MANAGER = "\0oca-package-test"
"""Its name is found inside and outside."""
INIT = ("oca", "init", "--id", "box", "--site", "here", "--device", "/var/lib/oca/nvme0", "--listen", f"{HOST}:80")
LACKING = {"clock", "daemon", "file limit", "link lo", "device /var/lib/oca/nvme0", "device /var/lib/oca/nvme0 health"}
"""What such a place lacks: a time service, a link of its own, a device that SMART knows; what is not started."""
BODY = os.urandom(1000) * 3000
KEPT = ("etc/oca", "etc/oca-steering", "etc/security/limits.d", "var/lib/oca", "var/lib/oca-steering", "var/log/oca")
"""What ``remove`` promises to keep."""
NOT_OURS = ("var/lib/dpkg", "var/log/dpkg.log", "var/cache", "tmp", "proc", "dev", "run")
ACCOUNTS = {f"etc/{name}{kept}" for name in ("passwd", "group", "shadow", "gshadow") for kept in ("", "-")}
ACCOUNTS |= {"etc/.pwd.lock", "etc/subuid-", "etc/subgid-"}


class Debian:
    """A Debian of its own, written to without changing the bare one."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "root"
        for each in ("root", "upper", "work"):
            (folder / each).mkdir()
        layers = f"lowerdir={BARE},upperdir={folder / 'upper'},workdir={folder / 'work'}"
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
        inside = ["nsenter", f"--mount=/proc/{self._holder.pid}/ns/mnt", "chroot", str(self.root)]
        if user != "root":
            rights = ["--inh-caps=-all,+net_bind_service", "--ambient-caps=-all,+net_bind_service"]
            inside += ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", *rights]
        return [*inside, *words]

    def run(self, *words: str, user: str = "root", succeeds: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(self.command(*words, user=user), capture_output=True, text=True, check=False)
        assert done.returncode == 0 or not succeeds, done.stdout + done.stderr
        return done

    def copy(self, package: Path) -> str:
        subprocess.run(self.command("sh", "-c", f"cat > /tmp/{package.name}"), input=package.read_bytes(), check=True)
        return f"/tmp/{package.name}"

    def files(self) -> set[str]:
        """Every path, but what is not of packages."""
        told = self.run("find", "/", "-xdev", "-mindepth", "1", "-printf", "%P\\n").stdout.splitlines()
        return {path for path in told if not path.startswith(NOT_OURS)}

    def accounts(self) -> str:
        return self.run("cat", "/etc/passwd", "/etc/group").stdout


def build(folder: Path) -> Path:
    subprocess.run(["nice", sys.executable, "-m", "debian", "--effort=0", "--out", str(folder)], cwd=ROOT, check=True)
    (package,) = folder.glob("*.deb")
    return package


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("first"))


@pytest.fixture(scope="module")
def newer(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same again with a later version."""
    folder = tmp_path_factory.mktemp("newer")
    subprocess.run(["dpkg-deb", "-R", str(package), str(folder / "tree")], check=True)
    control = folder / "tree/DEBIAN/control"
    control.write_text(control.read_text().replace("Version: ", "Version: 1:"))
    done = folder / "newer.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "-Znone", "-b", str(folder / "tree"), str(done)], check=True)
    shutil.rmtree(folder / "tree")
    return done


@pytest.fixture
def debian(tmp_path: Path) -> Iterator[Debian]:
    if not BARE.is_dir():
        fresh = BARE.with_name("fresh")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.parent.mkdir(parents=True, exist_ok=True)
        command = ["debootstrap", "--variant=minbase", f"--include={INCLUDED}", "bookworm", str(fresh)]
        if (done := subprocess.run(command, capture_output=True, text=True, check=False)).returncode:
            pytest.skip(f"no bare Debian can be had here: {done.stdout[-500:]}{done.stderr[-500:]}")
        fresh.rename(BARE)
    made = Debian(tmp_path)
    try:
        yield made
    finally:
        made.close()


@contextmanager
def viewers(faults: list[str], served: list[int]) -> Iterator[None]:
    """Some who fetch the same object over and over, each on new connections."""
    over = threading.Event()

    def view() -> None:
        while not over.is_set():
            try:
                with urllib.request.urlopen(f"http://{HOST}/film/1.m4s", timeout=WAIT_S) as answer:
                    body = answer.read()
            except OSError as error:
                faults.append(repr(error))
                continue
            if body != BODY:
                faults.append(f"{len(body)} of {len(BODY)} bytes, {hashlib.md5(body).hexdigest()}")
            served.append(len(body))

    threads = [threading.Thread(target=view) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


def start(debian: Debian, folder: Path) -> subprocess.Popen[bytes]:
    """As oca.service does."""
    unit = Unit("oca.service")["Service"]
    told = {"NOTIFY_SOCKET": MANAGER.replace("\0", "@"), "WATCHDOG_USEC": f"{unit['WatchdogSec']}000000"}
    words = ["env", *(f"{name}={value}" for name, value in told.items()), *unit["ExecStart"].split()]
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(debian.command(*words, user=unit["User"]), stderr=log)


def ask(path: str) -> dict[str, object]:
    with urllib.request.urlopen(f"http://{HOST}:8088{path}", timeout=WAIT_S) as answer:
        return json.loads(answer.read())  # type: ignore[no-any-return]


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_package_is_built_alike_every_time(package: Path, tmp_path: Path) -> None:
    assert build(tmp_path).read_bytes() == package.read_bytes()


@pytest.mark.timeout(1200)
def test_package_lists_what_it_carries(package: Path, debian: Debian) -> None:
    debian.run("dpkg", "-i", debian.copy(package))
    told = json.loads(debian.run("cat", "/usr/share/doc/open-appliance/sbom.cdx.json").stdout)
    found = {f"{part['name'].lower().replace('_', '-')}=={part['version']}" for part in told["components"]}
    lock = (ROOT / "requirements/package.lock").read_text()
    locked = {line.split()[0] for line in lock.splitlines() if "==" in line and "win32" not in line}
    elsewhere = {line for line in locked if "exceptiongroup" in line or "winloop" in line}
    names = Counter(line.partition("==")[0] for line in locked)
    several = {line for line in locked if names[line.partition("==")[0]] > 1}  # another version for another Python
    assert locked - several - elsewhere <= found
    assert {line.partition("==")[0] for line in several & found} == {name for name, count in names.items() if count > 1}
    assert "hls.js" in {part["name"] for part in told["components"]}
    assert not [part["name"] for part in told["components"] if not part["licenses"][0]["license"]["name"]]


@pytest.mark.timeout(1200)
def test_package_serves_is_upgraded_under_load_and_goes(
    package: Path, newer: Path, debian: Debian, tmp_path: Path
) -> None:
    before, accounts = debian.files(), debian.accounts()
    said = debian.run("dpkg", "-i", debian.copy(package)).stdout
    assert "turn the box up with: oca init" in said
    modes = debian.run("stat", "-c", "%U:%G %a %n", "/etc/oca", "/var/lib/oca", "/var/lib/oca-steering").stdout
    assert modes.splitlines() == [
        "root:oca 750 /etc/oca",
        "oca:oca 750 /var/lib/oca",
        "oca-steering:oca-steering 700 /var/lib/oca-steering",
    ]
    turn_up(debian)
    manager = Manager(Path(MANAGER))
    manager.start()
    daemon = start(debian, tmp_path)
    try:
        serve_and_upgrade(debian, newer, daemon, manager)
    finally:
        end(daemon, manager.told)
        manager.close()
    remove(debian, before)
    debian.run("dpkg", "-i", debian.copy(package))
    debian.run("dpkg", "-P", "open-appliance")
    assert debian.files() ^ before <= ACCOUNTS
    assert debian.accounts() == accounts


def turn_up(debian: Debian) -> None:
    """Settings, a device and a film."""
    said = debian.run(*INIT).stdout
    assert "oca check --config /etc/oca/appliance.toml" in said
    debian.run("sh", "-c", f"""printf '[admin]\\nlisten = "{HOST}:8088"\\n' >> /etc/oca/appliance.toml""")
    modes = debian.run("stat", "-c", "%U:%G %a", "/etc/oca/appliance.toml", "/var/lib/oca/nvme0").stdout
    assert modes.splitlines() == ["root:oca 640", "oca:oca 750"]
    told = json.loads(debian.run("oca", "check", "--json", user="oca", succeeds=False).stdout)
    wrong = {one["name"]: one["why"] for one in told["findings"] if one["state"] != "pass"}
    kernel = {setting.name for setting in KERNEL} | {f"module {name}" for name in MODULES}
    assert wrong.keys() <= LACKING | kernel, wrong
    assert wrong.keys() >= {"daemon", "link lo"}
    debian.run("mkdir", "/tmp/film")
    subprocess.run(debian.command("sh", "-c", "cat > /tmp/film/1.m4s"), input=BODY, check=True)
    taken = ("--asset", "film/v", "--mount", "/film", "--config", "/etc/oca/appliance.toml")
    debian.run("oca", "store", "import", "/tmp/film", *taken, user="oca")


def serve_and_upgrade(debian: Debian, newer: Path, daemon: subprocess.Popen[bytes], manager: Manager) -> None:
    """From ready to stopped; no viewer notices the upgrade."""
    wait_until(lambda: "READY=1" in manager.told or daemon.poll() is not None)
    wait_until(lambda: "WATCHDOG=1" in manager.told)
    assert ask("/health")["verdict"] == "ok", ask("/health")
    faults: list[str] = []
    served: list[int] = []
    with viewers(faults, served):
        wait_until(lambda: len(served) > 5)
        said = debian.run("dpkg", "-i", debian.copy(newer)).stdout
        assert "serves; this one," in said, said
        after = len(served)
        wait_until(lambda: len(served) > after + 20)
    assert not faults
    (told,) = (line for line in manager.told if line.startswith("MAINPID="))
    pid = int(told.partition("=")[2])
    wait_until(lambda: daemon.poll() is not None)
    manager.told.clear()
    manager.told.append(told)
    os.kill(pid, signal.SIGHUP)
    wait_until(lambda: "RELOADING=1" in manager.told and "READY=1" in manager.told)
    os.kill(pid, signal.SIGTERM)
    wait_until(lambda: "STOPPING=1" in manager.told)
    wait_until(lambda: is_gone(pid))


def remove(debian: Debian, before: set[str]) -> None:
    """Removed, settings and store stay; purged, the store does, until it is removed by hand."""
    debian.run("dpkg", "-r", "open-appliance")
    left = debian.files() - before - ACCOUNTS
    assert not {path for path in left if not path.startswith(KEPT)}
    assert {"var/lib/oca/nvme0", "etc/oca/appliance.toml"} <= left
    kept = debian.run("dpkg", "-P", "open-appliance").stderr
    assert "kept: /var/lib/oca, and the user oca that owns it" in kept
    assert "etc/oca/appliance.toml" not in debian.files()
    debian.run("sh", "-c", "rm -r /var/lib/oca/*")


def end(daemon: subprocess.Popen[bytes], told: Sequence[str]) -> None:
    """Whatever became of it."""
    if daemon.poll() is None:
        daemon.terminate()
        daemon.wait(WAIT_S)
    for line in told:
        pid = int(line.partition("=")[2]) if line.startswith("MAINPID=") else 0
        if pid and not is_gone(pid):
            os.kill(pid, signal.SIGTERM)
