"""Compiles the listed modules, once for each state of their sources; needs a C compiler, and says so where it lacks."""

from __future__ import annotations

import fcntl
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path

from compiled.sources import PACKAGES, listed, recipe

ROOT = Path(__file__).resolve().parents[1]
TRANSLATE = Path(__file__).with_name("translate.py")
SUFFIX: str = sysconfig.get_config_var("EXT_SUFFIX")
LACKING = "compiled: {why}; Debian: apt-get install gcc libc6-dev python3-dev"


@contextmanager
def extensions(kept: Path) -> Iterator[Path]:
    """A folder with the extension modules, laid out as the packages are; nobody else changes it meanwhile.

    It is kept below ``kept`` as long as nothing changes that they are made of; those of another state are removed.

    Raises:
        SystemExit: Nothing to compile with, or sources that mypyc or the C compiler refuse.
    """
    modules = listed(ROOT)
    made = kept / recipe(ROOT, modules, _tools())
    kept.mkdir(parents=True, exist_ok=True)
    with (kept / "lock").open("w") as lock, tempfile.TemporaryDirectory() as name:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.is_dir():
            print(f"Compiling {len(modules)} modules of the decision path (a minute)", flush=True)
            _compile(modules, Path(name))
            for old in kept.glob("*/"):
                shutil.rmtree(old)
            shutil.copytree(Path(name, "to"), kept / "half")
            (kept / "half").rename(made)
        yield made


def runtime_licence() -> Path:
    """The licences of mypyc's own C code, of which the extension modules hold parts."""
    held = [file for file in metadata.files("mypy") or () if file.name == "LICENSE"]
    return Path(str(held[0].locate()))


def _compile(modules: list[str], folder: Path) -> None:
    """Leave the extension modules in ``to``, made of copies in ``from``."""
    source, out = folder / "from", folder / "to"
    for package in PACKAGES:
        shutil.copytree(ROOT / package, source / package, ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-P", str(TRANSLATE), str(out), str(ROOT / "pyproject.toml"), *modules]
    fixed = {**os.environ, "PYTHONHASHSEED": "0"}  # no order of a set in what is compiled
    done = subprocess.run(command, cwd=source, env=fixed, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"compiled: mypyc failed:\n{done.stdout}{done.stderr}")
    lacking = [module for module in modules if not (out / extension(module)).is_file()]
    if lacking:
        raise SystemExit(f"compiled: no extension module came of {', '.join(lacking)}")


def extension(module: str) -> str:
    """Where a module's extension module lies: beside the source, ``steering/recent.py`` → ``steering/recent.….so``."""
    return module.removesuffix(".py") + SUFFIX


def _tools() -> list[str]:
    """What compiles, by version, and what it goes by beside our sources; ends where anything is missing."""
    try:
        versions = [f"{name} {metadata.version(name)}" for name in ("mypy", "setuptools")]
    except metadata.PackageNotFoundError as error:
        raise SystemExit(f"compiled: no {error.name} here; pip install -r requirements/compile.lock") from None
    compiler = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC"))
    include = f"-I{sysconfig.get_paths()['include']}"
    try:
        told = subprocess.run([*compiler, "--version"], check=True, capture_output=True, text=True).stdout
        subprocess.run(
            [*compiler, include, "-fsyntax-only", "-xc", "-"],
            input="#include <Python.h>\n",
            check=True,
            capture_output=True,
            text=True,
        )
    except FileNotFoundError:
        raise SystemExit(LACKING.format(why=f"no C compiler ({compiler[0]})")) from None
    except subprocess.CalledProcessError as error:
        said = (error.stderr.splitlines() or ["no word why"])[0]
        raise SystemExit(LACKING.format(why=f"{compiler[0]} finds no headers of Python or C ({said})")) from None
    flags = [f"{name}={os.environ.get(name, '')}" for name in ("CFLAGS", "CPPFLAGS", "LDFLAGS", "LDSHARED")]
    types = repr(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mypy"])
    lock = (ROOT / "requirements/compile.lock").read_text()  # types of others' packages are compiled in, too
    told = told.splitlines()[0]
    return [*versions, SUFFIX, sys.version, " ".join(compiler), told, *flags, types, lock, TRANSLATE.read_text()]
