"""The Debian package on a bare Debian 12, by the pages: installed, enrolled, filled, serving, upgraded, removed."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import urllib.request
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest

from compiled.sources import listed
from debian.__main__ import unlike_debian
from oca.turnup.kernel import KERNEL, MODULES
from tests.system import docs_commands
from tests.system.bare_debian import CACHE, Debian, bare, services
from tests.system.side_by_side import one_at_a_time
from tests.system.test_docs import LINK
from tests.system.test_reload import Manager, is_gone
from tests.system.test_units import Unit
from tests.unit.steering.made_up import write_package
from tests.waiting import WAIT_S, wait_until

pytestmark = [pytest.mark.system, pytest.mark.timeout(1200)]

ROOT = Path(__file__).resolve().parents[2]
HOST, STEERING, ORIGIN = "127.0.76.11", "127.0.76.12:8090", "127.0.76.13:8070"
SEGMENT = "harbour/seg-0-00001.m4s"
LACKING = {"clock", "file limit", "link lo", "device /var/lib/oca/nvme0", "device /var/lib/oca/nvme0 health"}
"""What such a place lacks: a time service, a link of its own, a device that SMART knows."""
KERNEL_NAMES = {setting.name for setting in KERNEL} | {f"module {name}" for name in MODULES}
KEPT = ("etc/oca", "etc/oca-steering", "etc/security/limits.d", "var/lib/oca", "var/lib/oca-steering", "var/log/oca")
"""What ``remove`` promises to keep."""
ACCOUNTS = {f"etc/{name}{kept}" for name in ("passwd", "group", "shadow", "gshadow") for kept in ("", "-")}
ACCOUNTS |= {"etc/.pwd.lock", "etc/subuid-", "etc/subgid-"}
VERSION, NEWER = b"Version: 0.1.0-1\n", b"Version: 0.1.0-2\n"
SWAPS = {
    "0.0.0.0:8090": STEERING,
    "https://steering.example.net": f"http://{STEERING}",
    "http://origin.example.net": f"http://{ORIGIN}",
    "0.0.0.0:80": f"{HOST}:80",
}
"""What the pages name, and what stands for it here."""


def swapped(text: str, swaps: Mapping[str, str]) -> str:
    for told, here in swaps.items():
        text = text.replace(told, here)
    return text


class Guide:
    """A reader who types in the commands of the pages."""

    def __init__(self, debian: Debian) -> None:
        self._debian = debian
        self.left = {(page, start) for page, starts in docs_commands.STEPS.items() for start in starts}

    def types(self, page: str, start: str, swaps: Mapping[str, str] | None = None, **how: Any) -> str:
        """Type the command of a page that begins so; what it says."""
        self.left.discard((page, start))
        line = swapped(docs_commands.command(page, start), {**(swaps or {}), **SWAPS})
        if line.startswith("curl"):
            done = subprocess.run(["sh", "-c", line], env={**os.environ, **how}, capture_output=True, check=True)
            return done.stdout.decode()
        return self._debian.run(
            "sh", "-ec", f"umask 022; cd {'/tmp' if 'user' in how else '/srv/desk'}; {line}", **how
        ).stdout


class Service:
    """A unit of ours, started as systemd would, and what it tells."""

    def __init__(self, debian: Debian, name: str, folder: Path) -> None:
        unit = Unit(f"{name}.service")["Service"]
        self.manager = Manager(Path(f"\0{name}-package-test"))  # its name is found inside and outside
        self.manager.start()
        words = services(
            debian,
            unit["ExecStart"].split(),
            user=unit["User"],
            notify=f"@{name}-package-test",
            watchdog_s=int(unit["WatchdogSec"]),
        )
        with (folder / f"{name}.log").open("wb") as log:
            self.process = subprocess.Popen(words, stderr=log)

    @property
    def told(self) -> list[str]:
        return self.manager.told

    def hears(self, *lines: str) -> None:
        wait_until(lambda: set(lines) <= set(self.told) or self.process.poll() is not None)
        assert set(lines) <= set(self.told), self.told

    def end(self) -> None:
        """Whatever became of it."""
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(WAIT_S)
        for line in self.told:
            pid = int(line.partition("=")[2]) if line.startswith("MAINPID=") else 0
            if pid and not is_gone(pid):
                os.kill(pid, signal.SIGTERM)
        self.manager.close()


class Installed(NamedTuple):
    """A Debian with the package, as a layer; what was there before, and what was said."""

    layers: tuple[Path, Path]
    before: set[str]
    accounts: str
    said: str


def build(folder: Path, kept: Path) -> Path:
    assert not unlike_debian(), f"{unlike_debian()}: make clean, and make test PYTHON=/usr/bin/python3 on Debian 12"
    command = [sys.executable, "-m", "debian", "--effort=0", "--out", str(folder), "--kept", str(kept)]
    with one_at_a_time(kept):
        subprocess.run(["nice", *command], cwd=ROOT, check=True)
    (package,) = folder.glob("*.deb")
    return package


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("first"), CACHE / "package")


@pytest.fixture(scope="module")
def installed(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    """Installed once; each test writes to a layer of its own above it."""
    folder = tmp_path_factory.mktemp("installed")
    with bare() as below:
        debian = Debian(folder, below)
        try:
            before, accounts = debian.files(), debian.accounts()
            debian.write("/srv/desk/first.deb", package.read_bytes())
            swaps = {"./open-appliance_0.1.0-1_amd64.deb": "-y --no-install-recommends ./first.deb"}
            said = Guide(debian).types("install.md", "apt-get install ./open-appliance_0.1.0-1", swaps)
            debian.run("rm", "/srv/desk/first.deb")
        finally:
            debian.close()
        yield Installed((debian.layer, below), before, accounts, said)


@pytest.fixture
def debian(installed: Installed, tmp_path: Path) -> Iterator[Debian]:
    """With the package, and a film."""
    films = tmp_path / "given/srv/films"
    write_package(films / "harbour")
    (tmp_path / "given/srv/desk").mkdir()
    (films / SEGMENT).write_bytes(os.urandom(1000) * 3000)
    made = Debian(tmp_path / "debian", tmp_path / "given", *installed.layers)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def origin(tmp_path: Path, debian: Debian) -> Iterator[None]:
    command = [sys.executable, "-m", "demo.origin", "--folder", str(tmp_path / "given/srv/films"), "--listen", ORIGIN]
    process = subprocess.Popen(command, cwd=ROOT)
    yield
    process.terminate()
    process.wait(WAIT_S)


@contextmanager
def viewers(body: bytes, faults: list[str], served: list[int]) -> Iterator[None]:
    """Some who fetch the same object over and over, each on new connections."""
    over = threading.Event()

    def view() -> None:
        while not over.is_set():
            try:
                with urllib.request.urlopen(f"http://{HOST}/{SEGMENT}", timeout=WAIT_S) as answer:
                    came = answer.read()
            except OSError as error:
                faults.append(repr(error))
                continue
            if came != body:
                faults.append(f"{len(came)} of {len(body)} bytes, {hashlib.md5(came).hexdigest()}")
            served.append(len(came))

    threads = [threading.Thread(target=view) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


def ask(url: str, body: dict[str, str] | None = None) -> Any:
    data = json.dumps(body).encode() if body else None
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=WAIT_S) as answer:
        return json.loads(answer.read())


@pytest.mark.long
def test_package_is_built_alike_every_time(package: Path, tmp_path: Path) -> None:
    """Also where nothing was kept of an earlier build."""
    assert build(tmp_path, tmp_path / "kept").read_bytes() == package.read_bytes()


def test_package_lists_what_it_carries(installed: Installed) -> None:
    told = json.loads((installed.layers[0] / "usr/share/doc/open-appliance/sbom.cdx.json").read_text())
    found = {f"{part['name'].lower().replace('_', '-')}=={part['version']}" for part in told["components"]}
    lock = (ROOT / "requirements/package.lock").read_text()
    locked = {line.split()[0] for line in lock.splitlines() if "==" in line and "win32" not in line}
    elsewhere = {line for line in locked if "exceptiongroup" in line or "winloop" in line}
    names = Counter(line.partition("==")[0] for line in locked)
    several = {line for line in locked if names[line.partition("==")[0]] > 1}  # another version for another Python
    assert locked - several - elsewhere <= found
    assert {line.partition("==")[0] for line in several & found} == {name for name, count in names.items() if count > 1}
    assert {"hls.js", "mypy"} <= {part["name"] for part in told["components"]}
    assert "MIT" in (installed.layers[0] / "usr/share/doc/open-appliance/mypyc.LICENSE").read_text()
    assert not [part["name"] for part in told["components"] if not part["licenses"][0]["license"]["name"]]


def test_package_decides_by_compiled_modules(debian: Debian) -> None:
    names = [path.removesuffix(".py").replace("/", ".") for path in listed(ROOT)]
    asked = "import sys, importlib\nfor name in sys.argv[1:]: print(importlib.import_module(name).__file__)"
    files = debian.run("/usr/lib/open-appliance/bin/python3", "-c", asked, *names).stdout.split()
    assert [Path(file).name.partition(".")[::2] for file in files] == [
        (name.rpartition(".")[2], "cpython-311-x86_64-linux-gnu.so") for name in names
    ]


def test_package_brings_pages_whose_links_hold(installed: Installed) -> None:
    pages = installed.layers[0] / "usr/share/doc/open-appliance/docs"
    targets = {
        (page, target.partition("#")[0])
        for page in pages.rglob("*.md")
        for target in LINK.findall(page.read_text())
        if "://" not in target and not target.startswith("#")
    }
    assert len(targets) > 100
    assert not [f"{page.name}: {target}" for page, target in targets if not (page.parent / target).exists()]
    for unit in (ROOT / "systemd").iterdir():
        for page in re.findall(r"Documentation=file://(\S+)", unit.read_text()):
            assert (installed.layers[0] / page.lstrip("/")).exists(), page


def test_package_is_purged_without_a_trace(installed: Installed, debian: Debian) -> None:
    debian.run("dpkg", "-P", "open-appliance")
    changed = debian.files() ^ installed.before
    assert {path for path in changed if not path.startswith("srv")} <= ACCOUNTS
    assert debian.accounts() == installed.accounts


@pytest.mark.long
def test_package_follows_the_pages_from_install_to_removal(
    package: Path, installed: Installed, debian: Debian, origin: None, tmp_path: Path
) -> None:
    guide = Guide(debian)
    guide.left.discard(("install.md", "apt-get install ./open-appliance_0.1.0-1"))
    assert "turn the box up with: oca init" in installed.said
    modes = debian.run("stat", "-c", "%U:%G %a %n", "/etc/oca", "/var/lib/oca", "/var/lib/oca-steering").stdout
    assert modes.splitlines() == [
        "root:oca 750 /etc/oca",
        "oca:oca 750 /var/lib/oca",
        "oca-steering:oca-steering 700 /var/lib/oca-steering",
    ]
    alone(guide, debian)
    started: list[Service] = []
    try:
        started.append(steering := start_steering(guide, debian, tmp_path))
        turn_up(guide, debian)
        started.append(box := Service(debian, "oca", tmp_path))
        fill_and_serve(guide, debian, box, tmp_path / "given/srv/films")
        look_around(guide, debian)
        upgrade(guide, debian, box, package, tmp_path / "given/srv/films" / SEGMENT)
        steering.process.send_signal(signal.SIGTERM)
        steering.hears("STOPPING=1")
        assert steering.process.wait(WAIT_S) == 0
    finally:
        for service in reversed(started):
            service.end()
    assert not guide.left
    remove(debian, installed.before)


def alone(guide: Guide, debian: Debian) -> None:
    """A box alone with a folder, as the README has it; and settings by hand."""
    debian.run("cp", "-r", "/srv/films/harbour", "/srv/desk/film")
    assert "oca serve --config appliance.toml" in guide.types("README.md", "oca init", {"$PWD": "/srv/desk"})
    guide.types("README.md", "oca config check")
    assert "local/film" in guide.types("README.md", "oca store import")
    (settings,) = [block.text for block in docs_commands.blocks(ROOT / "README.md") if block.language == "toml"]
    debian.write("/srv/desk/steering.toml", settings)
    assert "film/" in guide.types("README.md", "oca-steering publish")
    guide.types("deploying.md", "install -d -o oca", {"/var/lib/oca/nvme0/store": "/srv/desk/byhand"})
    guide.types("deploying.md", "oca config print", {"/etc/oca/": "/srv/desk/"})
    debian.run("sh", "-c", "rm -r /srv/desk/*")


def start_steering(guide: Guide, debian: Debian, folder: Path) -> Service:
    (settings,) = [block.text for block in docs_commands.blocks(ROOT / "docs/deploying.md") if block.language == "toml"]
    more = '[decision_log]\nfolder = "/var/lib/oca-steering/decisions"\nsample = 1.0\n[probes]\ninterval_s = 1\n'
    debian.write("/etc/oca-steering/steering.toml", more + swapped(settings, SWAPS))
    guide.types("deploying.md", "oca-steering config check")
    steering = Service(debian, "oca-steering", folder)
    steering.hears("READY=1", "WATCHDOG=1")
    guide.types("deploying.md", "oca-steering publish")
    return steering


def turn_up(guide: Guide, debian: Debian) -> None:
    """Settings, a device, a key."""
    said = guide.types("turnup.md", "oca init")
    assert "oca check --config /etc/oca/appliance.toml" in said
    debian.run("sh", "-c", f"""printf '[admin]\\nlisten = "{HOST}:8088"\\n' >> /etc/oca/appliance.toml""")
    modes = debian.run("stat", "-c", "%U:%G %a", "/etc/oca/appliance.toml", "/var/lib/oca/nvme0").stdout
    assert modes.splitlines() == ["root:oca 640", "oca:oca 750"]
    token = guide.types("deploying.md", "oca-steering enrol create")
    assert "fra1-a" in guide.types("turnup.md", "oca enrol --token -", told=token)
    wrong = not_passed(guide, {"oca check": "oca check --json"})
    assert wrong.keys() <= LACKING | KERNEL_NAMES | {"daemon", "steering"}, wrong
    assert wrong.keys() >= {"daemon", "link lo"}
    assert "knows fra1-a, and has no report of it" in wrong["steering"], wrong["steering"]


def not_passed(guide: Guide, swaps: Mapping[str, str]) -> dict[str, str]:
    """Each check that does not pass, and why; where anything fails, the command must say so, too."""
    told = json.loads(guide.types("turnup.md", "oca check", swaps, succeeds=False))
    return {one["name"]: one["why"] for one in told["findings"] if one["state"] != "pass"}


def fill_and_serve(guide: Guide, debian: Debian, box: Service, films: Path) -> None:
    """From the first look to the first viewer, who gets what was published."""
    box.hears("READY=1", "WATCHDOG=1")
    assert "serving" in guide.types("turnup.md", "oca status")
    by_hand = {"systemd-run --uid=oca --slice=oca.slice ": ""}  # as root, and so as the devices' owner
    guide.types("turnup.md", "systemd-run --uid=oca --slice=oca.slice oca-fill run --now", by_hand)
    assert "fetched by fills that have ended" in guide.types("turnup.md", "oca-fill status")
    assert "harbour/" in guide.types("turnup.md", "oca store ls")
    wait_until(lambda: "fra1-a: up" in guide.types("turnup.md", "oca-steering fleet"))
    wrong = not_passed(guide, {"oca check": "oca check --json --no-measure"})
    assert wrong.keys() <= LACKING | KERNEL_NAMES, wrong
    assert "1. fra1-a" in guide.types("turnup.md", "oca-steering explain")
    known = json.loads(debian.run("oca", "status", "--json").stdout)
    assert known["steering"]["known_by"] == "key"
    assert known["health"]["verdict"] != "failed", known["health"]  # a busy machine is degraded
    way = ask(f"http://{STEERING}/v1/playback", {"title": "harbour", "client": "198.51.100.7"})["pathways"][0]
    assert (way["pathway"], urlsplit(way["url"]).hostname) == ("fra1-a", HOST), way
    for file in sorted(films.rglob("*.*")):
        with urllib.request.urlopen(f"{way['url']}/{file.relative_to(films)}", timeout=WAIT_S) as answer:
            assert answer.read() == file.read_bytes(), file


def look_around(guide: Guide, debian: Debian) -> None:
    """What other pages show."""
    password = "a password of some length\n"
    by_program = {f"{word} anna": f"{word} anna --password-stdin" for word in ("add", "password")}
    guide.types("operators.md", "oca-steering users add", by_program, told=password)
    assert "anna" in guide.types("operators.md", "oca-steering users list")
    guide.types("operators.md", "oca-steering users role")
    guide.types("operators.md", "oca-steering users password", by_program, told=password)
    token = debian.run("oca-steering", "users", "token", "anna", "--label", "test").stdout.strip()
    assets = json.loads(debian.run("oca", "store", "ls", "--json").stdout)["assets"]
    video = next(asset["asset"] for asset in assets if "/video" in asset["asset"])
    guide.types("popularity.md", "oca-steering plan --explain", {"harbour/video-1080p": video})
    installed = {"--config steering.toml": "--config /etc/oca-steering/steering.toml"}
    assert "fra1-a: " in guide.types("README.md", "oca-steering plan", installed)
    guide.types("history.md", "oca-steering history")
    for user in ("oca", "oca-steering"):  # whatever root did there
        assert not debian.run("find", f"/var/lib/{user}", "!", "-user", user).stdout
    assert "report" in guide.types("health.md", "oca-steering fleet")
    asked = {"45.10.1.7": "198.51.100.7", "45.10.1.0/24": "198.51.100.0/24"}
    assert "1. fra1-a" in guide.types("steering.md", "oca-steering explain", asked)
    for start in docs_commands.STEPS["steering.md"]:
        if start.startswith("curl"):
            said = guide.types("steering.md", start, asked, STEERING=f"http://{STEERING}", TOKEN=token.split()[-1])
            assert re.match(r'\{"|#EXTM3U|HTTP/1.1 302', said), (start, said)
    wait_until(lambda: debian.run("sh", "-c", "ls -s /var/lib/oca-steering/decisions").stdout.count("\n") > 1)
    here = {"replay decisions": "replay /var/lib/oca-steering/decisions", " --config steering.toml": "", "s5": "fra1"}
    settings = {"--rows": "--config /etc/oca-steering/steering.toml --rows"}
    assert "decisions" in guide.types("steering.md", "oca-steering replay", here | settings)
    guide.types("operators.md", "oca-steering users remove")
    assert "user add" in guide.types("operators.md", "oca-steering audit")
    guide.types("signing.md", "oca token key")
    url = guide.types("signing.md", "oca token make").strip()
    signed = {"http://box.example/t/…/harbour/v.m3u8": url}
    guide.types("signing.md", "oca token check", signed)
    debian.run("sh", "-c", "rm -r /srv/desk/*")


def upgrade(guide: Guide, debian: Debian, box: Service, package: Path, file: Path) -> None:
    """Followed by a newer one while viewers watch, reloaded, stopped; no viewer notices the upgrade."""
    told = package.read_bytes()
    assert told.count(VERSION) == 1
    debian.write("/srv/desk/newer.deb", told.replace(VERSION, NEWER))
    faults: list[str] = []
    served: list[int] = []
    with viewers(file.read_bytes(), faults, served):
        wait_until(lambda: len(served) > 5)
        swaps = {"./open-appliance_0.2.0-1_amd64.deb": "-y --no-install-recommends ./newer.deb"}
        said = guide.types("install.md", "apt-get install ./open-appliance_0.2.0-1", swaps)
        assert "serves; this one," in said, said
        after = len(served)
        wait_until(lambda: len(served) > after + 20)
    assert not faults
    debian.run("rm", "/srv/desk/newer.deb")
    (line,) = (line for line in box.told if line.startswith("MAINPID="))
    pid = int(line.partition("=")[2])
    wait_until(lambda: box.process.poll() is not None)
    box.told.clear()
    box.told.append(line)
    os.kill(pid, signal.SIGHUP)
    wait_until(lambda: {"RELOADING=1", "READY=1"} <= set(box.told))
    os.kill(pid, signal.SIGTERM)
    wait_until(lambda: "STOPPING=1" in box.told)
    wait_until(lambda: is_gone(pid))


def remove(debian: Debian, before: set[str]) -> None:
    """Removed, settings and store stay; purged, the store does, until it is removed by hand."""
    debian.run("dpkg", "-r", "open-appliance")
    left = debian.files() - before - ACCOUNTS
    assert not {path for path in left if not path.startswith((*KEPT, "srv"))}
    assert {"var/lib/oca/nvme0", "etc/oca/appliance.toml"} <= left
    kept = debian.run("dpkg", "-P", "open-appliance").stderr
    assert "kept: /var/lib/oca, and the user oca that owns it" in kept
    assert "kept: /var/lib/oca-steering" in kept
    assert "etc/oca/appliance.toml" not in debian.files()
