"""The root disk of a guest: the Python, the packages and the libraries of the host, at the same paths."""

from __future__ import annotations

import compileall
import re
import shutil
import subprocess
import sysconfig
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DISK_BYTES = 2**30
_UNUSED = ("site-packages", "test", "tests", "idlelib", "ensurepip", "lib2to3", "tkinter", "turtledemo", "config-*")


def make_disk(folder: Path, python: Path) -> tuple[Path, list[str]]:
    """Make ``root.ext4`` in ``folder``; it and the folders of the shared libraries that ``python`` needs."""
    stage, disk = folder / "root", folder / "root.ext4"
    for each in ("proc", "sys", "dev", "tmp", "etc"):
        (stage / each).mkdir(parents=True)
    standard = Path(sysconfig.get_path("stdlib"))
    shutil.copytree(standard, _in(stage, standard), ignore=shutil.ignore_patterns(*_UNUSED), symlinks=True)
    own = (path for name in ("oca", "tests") for path in (ROOT / name).rglob("*.py"))
    for path in (python, *own, *_packages()):
        shutil.copy2(path, _in(stage, path))
    extensions = [python, *(Path("/", path.relative_to(stage)) for path in stage.rglob("*.so*") if path.is_file())]
    found = re.findall(r"(?:=> |^\t)(/\S+) \(0x", output("ldd", *map(str, extensions)), re.MULTILINE)
    libraries = {path for path in map(Path, found) if not (stage / path.relative_to("/")).exists()}
    for path in libraries:
        shutil.copy(path, _in(stage, path))
    compileall.compile_dir(stage, stripdir=stage, quiet=2)  # the guest would be far slower at it
    with disk.open("wb") as file:
        file.truncate(DISK_BYTES)
    output(str(find_program("mkfs.ext4")), "-q", "-O", "^has_journal", "-d", str(stage), str(disk))
    shutil.rmtree(stage)
    return disk, sorted({str(path.parent) for path in libraries})


def _in(stage: Path, path: Path) -> Path:
    """Where a file of the host goes; its folder is made."""
    target = stage / path.relative_to("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    return target


def _packages() -> Iterator[Path]:
    """The files of all that the appliance requires, without extras."""
    known: set[str] = set()
    left: list[str] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    while left:
        name = re.split(r"[^\w.-]", left.pop())[0].lower()
        if name in known:
            continue
        known.add(name)
        try:
            package = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue  # for another platform or version of Python
        left += [each for each in package.requires or () if "extra ==" not in each]
        paths = (Path(str(package.locate_file(file))) for file in package.files or ())
        yield from (path.resolve() for path in paths if "/site-packages/" in str(path.resolve()) and path.is_file())


def find_program(program: str) -> str | None:
    """Its path; also of those that only root usually finds."""
    return shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin")


def output(*command: str, cwd: Path | None = None) -> str:
    """What a command prints; ``CalledProcessError`` where it fails."""
    return subprocess.run(command, cwd=cwd, check=True, capture_output=True, text=True).stdout
