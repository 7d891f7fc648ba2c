"""Which modules are compiled, and what their machine code depends on, so that it is made anew when that has changed."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import tomllib
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

PACKAGES = ("oca", "fill", "steering")


def listed(root: Path) -> list[str]:
    """The modules of ``[tool.compiled]``: their paths below ``root``, in its order."""
    modules: list[str] = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["compiled"]["modules"]
    return modules


def needed(root: Path, modules: Sequence[str]) -> list[str]:
    """These and every module of ours that they import, and those import: types and constants of all are compiled in."""
    known: set[str] = set()
    left = list(modules)
    while left:
        path = left.pop()
        if path not in known:
            known.add(path)
            left += _imported(root, path)
    return sorted(known)


def interpreted(modules: Sequence[str]) -> list[str]:
    """Those that this process gets, or would get, from their sources: all in a checkout, unless compiled ones lead."""
    specs = {path: importlib.util.find_spec(path.removesuffix(".py").replace("/", ".")) for path in modules}
    return [path for path, spec in specs.items() if spec is None or spec.origin is None or spec.origin.endswith(".py")]


def recipe(root: Path, modules: Sequence[str], tools: Sequence[str]) -> str:
    """A digest of all that the machine code follows from: these sources, and ``tools`` with their versions."""
    told = hashlib.sha256(repr((list(modules), list(tools))).encode())
    for path in needed(root, modules):
        told.update(f"\n{path} ".encode() + hashlib.sha256((root / path).read_bytes()).digest())
    return told.hexdigest()[:16]


def _imported(root: Path, path: str) -> Iterator[str]:
    for name in _names((root / path).read_text()):
        parts = name.split(".")
        if parts[0] in PACKAGES:
            for depth in range(1, len(parts) + 1):
                whole = "/".join(parts[:depth])
                yield from (file for file in (f"{whole}.py", f"{whole}/__init__.py") if (root / file).is_file())


@cache
def _names(text: str) -> list[str]:
    found: list[str] = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    return found
