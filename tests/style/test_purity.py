"""Pure modules do nothing but decide: no socket, file, clock, randomness or ``async``; each has a test of its own."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.style.conftest import Tree

IMPURE = {
    "asyncio", "fcntl", "http", "io", "mmap", "multiprocessing", "os", "random", "secrets", "select", "selectors",
    "shutil", "signal", "socket", "ssl", "subprocess", "sys", "tempfile", "threading", "time", "urllib.request",
    "aiohttp", "lmdb", "psutil", "pyroute2", "uvloop", "oca.common.clock", "oca.common.tasks", "oca.common.log",
}  # fmt: skip
ALLOWED = {"pathlib.PurePath", "pathlib.PurePosixPath"}


def breaches(tree: Tree, source: ast.Module) -> list[str]:
    """What a pure module must not do."""
    found = []
    for name in tree.imported(source):
        parts = name.split(".")
        prefixes = {".".join(parts[:depth]) for depth in range(1, len(parts) + 1)}
        if prefixes & IMPURE or (parts[0] == "pathlib" and name not in ALLOWED):
            found.append(f"imports {name}")
    for node in ast.walk(source):
        if isinstance(node, ast.AsyncFunctionDef | ast.Await | ast.AsyncFor | ast.AsyncWith):
            found.append(f"line {node.lineno}: async")
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in ("open", "print", "input")
        ):
            found.append(f"line {node.lineno}: {node.func.id}()")
        if isinstance(node, ast.Attribute) and node.attr in ("now", "utcnow", "today") and _names_datetime(node.value):
            found.append(f"line {node.lineno}: reads the clock")
    return found


def _names_datetime(node: ast.expr) -> bool:
    return (isinstance(node, ast.Name) and node.id in ("datetime", "date")) or (
        isinstance(node, ast.Attribute) and node.attr in ("datetime", "date")
    )


def _does_something(node: ast.AST) -> bool:
    """A function with a body, not a protocol's promise of one."""
    return isinstance(node, ast.FunctionDef) and not (len(node.body) == 1 and isinstance(node.body[0], ast.Expr))


def test_pure_modules_stay_pure(tree: Tree) -> None:
    found = {str(module): wrong for module in tree.pure_modules() if (wrong := breaches(tree, tree.parse(module)))}
    assert not found, found


def test_pure_modules_are_listed_once_and_sorted(tree: Tree) -> None:
    listed = [str(module) for module in tree.pure_modules()]
    assert len(set(listed)) == len(listed)
    assert not [name for name in listed if not (tree.root / name).is_file()]


def test_pure_modules_have_tests_of_their_own(tree: Tree) -> None:
    missing = []
    for module in tree.pure_modules():
        decides = any(_does_something(node) for node in ast.walk(tree.parse(module)))
        folders = module.parent.parts[1:] if module.parts[0] == "oca" else module.parent.parts
        test = Path("tests/unit", *folders, f"test_{module.name}")
        if decides and not (tree.root / test).is_file():
            missing.append(str(test))
    assert not missing, missing


@pytest.mark.parametrize(
    "source",
    [
        "import os",
        "from pathlib import Path",
        "from urllib.request import urlopen",
        "async def f(): pass",
        "def f(): return open('x')",
        "import datetime\ndef f(): return datetime.datetime.now()",
        "from oca.common import clock",
        "from oca.common.clock import now_s",
    ],
)
def test_purity_refuses_effect(tree: Tree, source: str) -> None:
    assert breaches(tree, ast.parse(source))
