"""The files of the Debian package: put into a folder as they will lie on the box, packed the same way every time."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from email.parser import HeaderParser
from importlib.metadata import version
from pathlib import Path

from compiled.extensions import extensions, runtime_licence
from debian.bill import Part, bill
from oca.turnup.kernel import modules_file, sysctl_file

PYTHON = "python3.11"
"""Debian 12's; the wheels are for it."""
MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
GLIBC_MINOR = 36
HOME = Path("usr/lib/open-appliance")
DOC = Path("usr/share/doc/open-appliance")
PROGRAMS = {"oca": "oca.cli", "oca-fill": "fill.cli", "oca-steering": "steering.cli"}
OWN = ("oca", "fill", "steering")
SCRIPTS = ("postinst", "prerm", "postrm")
_PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")
_LAUNCHER = """#!/{home}/bin/python3
import sys

from {module} import main

sys.exit(main())
"""


class Stage:
    """One package on its way; ``folder`` is the root of its files."""

    def __init__(self, root: Path, folder: Path, *, version: str, machine: str, built_at_s: int) -> None:
        self._root = root
        self._folder = folder
        self._version = version
        self._machine = machine
        self._environment = {**os.environ, "SOURCE_DATE_EPOCH": str(built_at_s), "PYTHONHASHSEED": "0"}
        self._built_at_s = built_at_s
        self._site = folder / HOME / "lib" / PYTHON / "site-packages"

    def fill(self, kept: Path) -> None:
        """Put every file where it belongs; ``kept`` is a folder for what is the same at the next build."""
        self._site.parent.mkdir(parents=True)
        digests = self._install(kept)
        self._environment_files()
        self._system_files()
        self._documents()
        (self._folder / DOC / "sbom.cdx.json").write_bytes(bill(self._version, self._parts(digests)))

    def pack(self, package: Path, *, effort: int) -> None:
        """Write the package: the same tree, commit and effort (of xz; 0: not packed) give the same bytes."""
        control = self._folder / "DEBIAN"
        control.mkdir()
        size = sum(path.lstat().st_size for path in self._folder.rglob("*") if path.is_file())
        text = (self._root / "debian/control").read_text()
        (control / "control").write_text(
            text.format(version=self._version, architecture=self._machine, kib=-(-size // 1024))
        )
        (control / "conffiles").write_text("/etc/security/limits.d/open-appliance.conf\n")
        for script in SCRIPTS:
            shutil.copy(self._root / "debian" / script, control)
        files = (path for path in sorted(self._folder.rglob("*")) if path.is_file() and control not in path.parents)
        sums = [f"{_md5(path)}  {path.relative_to(self._folder)}" for path in files if not path.is_symlink()]
        (control / "md5sums").write_text("\n".join(sums) + "\n")
        for path in sorted(self._folder.rglob("*"), reverse=True):
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() or self._runs(path) else 0o644)
            os.utime(path, (self._built_at_s, self._built_at_s), follow_symlinks=False)
        self._folder.chmod(0o755)
        os.utime(self._folder, (self._built_at_s, self._built_at_s))
        packing = ("-Zxz", f"-z{effort}") if effort else ("-Znone",)
        self._run("dpkg-deb", "--root-owner-group", *packing, "--build", str(self._folder), str(package))

    def _install(self, kept: Path) -> dict[str, str]:
        """Install what the lock file pins, and our own wheel; the digest of each wheel by its distribution's name."""
        others = self._others(kept)
        shutil.copytree(others / "site", self._site, symlinks=True)
        digests: dict[str, str] = json.loads((others / "digests.json").read_text())
        own = self._folder.with_name("own")
        self._environment["OPEN_APPLIANCE_COMPILED"] = str(kept.absolute() / "compiled")
        with extensions(kept.absolute() / "compiled"):
            pass  # before pip does it, which would wrap up what it says
        self._run(*_PIP, "wheel", "--no-deps", "--no-build-isolation", f"--wheel-dir={own}", str(self._root))
        digests |= self._unpack(own, self._site)
        self._compile(*(self._site / name for name in OWN), site=self._site)
        return digests

    def _others(self, kept: Path) -> Path:
        """What the lock file pins, installed and compiled, with its digests: kept, for it is the same at each build."""
        lock = self._root / "requirements/package.lock"
        recipe = hashlib.sha256(lock.read_bytes() + Path(__file__).read_bytes() + self._machine.encode()).hexdigest()
        made = kept / f"parts-{recipe[:16]}"
        if made.is_dir():
            return made
        fresh = self._folder.with_name("others")
        pinned = ("--no-deps", "--require-hashes", *self._chosen(), f"--requirement={lock}")
        self._run(*_PIP, "download", f"--dest={fresh / 'wheels'}", *pinned)
        digests = self._unpack(fresh / "wheels", fresh / "site")
        self._compile(fresh / "site", site=fresh / "site")
        (fresh / "digests.json").write_text(json.dumps(digests))
        shutil.rmtree(fresh / "wheels")
        kept.mkdir(parents=True, exist_ok=True)
        for old in kept.glob("parts-*"):
            shutil.rmtree(old)
        copied = kept / f".parts-{os.getpid()}"
        shutil.move(fresh, copied)
        copied.rename(made)
        return made

    def _unpack(self, wheels: Path, site: Path) -> dict[str, str]:
        found = sorted(wheels.glob("*.whl"))
        options = ("--no-deps", "--no-index", "--no-compile", *self._chosen(), f"--target={site}")
        self._run(*_PIP, "install", *options, *map(str, found))
        shutil.rmtree(site / "bin", ignore_errors=True)
        for record in site.glob("*.dist-info/*"):
            if record.name in ("direct_url.json", "REQUESTED", "INSTALLER", "RECORD"):
                record.unlink()  # dpkg knows what belongs to it; the first names a folder of the builder's
        return {_plain(path.name.split("-")[0]): hashlib.sha256(path.read_bytes()).hexdigest() for path in found}

    def _chosen(self) -> list[str]:
        architecture = MACHINES[self._machine]
        tags = [f"manylinux_2_{minor}_{architecture}" for minor in range(GLIBC_MINOR, 4, -1)]
        tags += [f"manylinux{year}_{architecture}" for year in ("2014", "2010", "1")]
        tags.append(f"linux_{architecture}")  # our own, compiled here
        chosen = ["--only-binary=:all:", "--python-version=3.11", "--implementation=cp", "--abi=cp311", "--abi=abi3"]
        return [*chosen, "--abi=none", *(f"--platform={tag}" for tag in tags)]

    def _environment_files(self) -> None:
        binaries = self._folder / HOME / "bin"
        binaries.mkdir(parents=True)
        (binaries / "python3").symlink_to(f"/usr/bin/{PYTHON}")
        (self._folder / HOME / "pyvenv.cfg").write_text("home = /usr/bin\ninclude-system-site-packages = false\n")
        commands = self._folder / "usr/bin"
        commands.mkdir(parents=True)
        for name, module in PROGRAMS.items():
            (binaries / name).write_text(_LAUNCHER.format(home=HOME, module=module))
            (commands / name).symlink_to(Path("..", HOME.relative_to("usr"), "bin", name))

    def _system_files(self) -> None:
        units = self._folder / "usr/lib/systemd/system"
        units.mkdir(parents=True)
        for unit in sorted((self._root / "systemd").iterdir()):
            shutil.copy(unit, units)
        for name, text in {
            "usr/lib/sysctl.d/60-open-appliance.conf": sysctl_file(),
            "usr/lib/modules-load.d/open-appliance.conf": modules_file(),
            "etc/security/limits.d/open-appliance.conf": (self._root / "debian/limits.conf").read_text(),
        }.items():
            path = self._folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def _documents(self) -> None:
        """The pages lie to each other as they do in the source, so that their links hold."""
        target = self._folder / DOC
        target.mkdir(parents=True)
        unwanted = shutil.ignore_patterns("*.py", "__pycache__", "index.md", "site")
        for name in ("docs", "config", "benchmarks/results"):
            shutil.copytree(self._root / name, target / name, ignore=unwanted)
        for name in ("CHANGELOG.md", "SECURITY.md", "debian/copyright"):
            shutil.copy(self._root / name, target)
        shutil.copy(runtime_licence(), target / "mypyc.LICENSE")

    def _parts(self, digests: dict[str, str]) -> Iterator[Part]:
        for metadata in sorted(self._site.glob("*.dist-info/METADATA")):
            headers = HeaderParser().parsestr(metadata.read_text())
            name, licences = headers["Name"], headers.get_all("Classifier", [])
            named = [entry.rpartition(" :: ")[2] for entry in licences if entry.startswith("License :: ")]
            first = (headers.get("License-Expression") or headers.get("License") or "").strip().splitlines()
            licence = (first[0] if first and len(first[0]) < 60 else "") or " OR ".join(named) or "see its dist-info"
            yield Part(name, headers["Version"], "pypi", licence, digests.get(_plain(name), ""))
        yield Part("mypy", version("mypy"), "pypi", "MIT AND PSF-2.0 AND 0BSD")  # its C code, in our compiled modules
        lock = json.loads((self._root / "package-lock.json").read_text())
        if (self._site / "steering/page/vendor/hls.min.mjs").exists():
            yield Part("hls.js", lock["packages"]["node_modules/hls.js"]["version"], "npm", "Apache-2.0")

    def _compile(self, *folders: Path, site: Path) -> None:
        """Compile all now: the services may write nothing there, and removal is to leave nothing behind."""
        options = ("-q", "-f", "-j", "2", "--invalidation-mode", "unchecked-hash")
        places = ("-s", str(site), "-p", f"/{HOME}/lib/{PYTHON}/site-packages")
        self._run(PYTHON, "-m", "compileall", *options, *places, *map(str, folders))

    def _runs(self, path: Path) -> bool:
        return path.parent == self._folder / HOME / "bin" or path.name in SCRIPTS

    def _run(self, *command: str) -> None:
        if fault := self._fails(*command):
            raise SystemExit(fault)

    def _fails(self, *command: str) -> str:
        """Why the command failed; empty where it did not."""
        done = subprocess.run(command, env=self._environment, capture_output=True, text=True, check=False)
        return f"{' '.join(command[:4])} … failed:\n{done.stdout}{done.stderr}" if done.returncode else ""


def _plain(name: str) -> str:
    """A distribution's name as all spellings of it are compared (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()  # what dpkg --verify compares
