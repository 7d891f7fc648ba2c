"""Pure modules do nothing but decide: no socket, file, clock, randomness or ``async``, nor by way of our own modules;
each has a test of its own.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.style.conftest import Tree

OURS = ("oca", "fill", "steering", "demo", "benchmarks", "tests")
IMPURE = {
    "asyncio", "builtins", "fcntl", "http", "importlib", "io", "logging", "mmap", "multiprocessing", "os", "random",
    "runpy", "secrets", "select", "selectors", "shutil", "signal", "socket", "ssl", "subprocess", "sys", "tempfile",
    "threading", "time", "urllib.request", "uuid",
    "aiohttp", "lmdb", "nats", "psutil", "pyroute2", "structlog", "uvloop",
}  # fmt: skip
ALLOWED = {"pathlib.PurePath", "pathlib.PurePosixPath"}
CONVERSIONS = {"socket.AF_INET", "socket.AF_INET6", "socket.inet_ntop", "socket.inet_pton"}
"""Addresses to text and back: no socket is opened."""
CALLS = {"open", "print", "input", "__import__", "exec", "eval", "compile"}
DECLARING = {"oca/common/metrics.py", "oca/delivery/control.py", "steering/titles/catalogue.py", "steering/settings.py"}
"""Modules with effects that also declare what pure ones decide about: their Structs and constants may be imported."""


def breaches(tree: Tree, source: ast.Module) -> list[str]:
    """What a pure module must not do."""
    found = [f"imports {name}" for name in tree.imported(source) if not _may_import(tree, name)]
    for node in ast.walk(source):
        if isinstance(node, ast.AsyncFunctionDef | ast.Await | ast.AsyncFor | ast.AsyncWith):
            found.append(f"line {node.lineno}: async")
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CALLS:
            found.append(f"line {node.lineno}: {node.func.id}()")
        if isinstance(node, ast.Attribute) and node.attr in ("now", "utcnow", "today") and _names_datetime(node.value):
            found.append(f"line {node.lineno}: reads the clock")
    return found


def _may_import(tree: Tree, name: str) -> bool:
    parts = name.split(".")
    if parts[0] in OURS:
        return _may_import_ours(tree, name)
    if name in CONVERSIONS:
        return True
    prefixes = {".".join(parts[:depth]) for depth in range(1, len(parts) + 1)}
    return not prefixes & IMPURE and (parts[0] != "pathlib" or name in ALLOWED)


def _may_import_ours(tree: Tree, name: str) -> bool:
    """Whether ``name`` is of a pure module, or declared data of one that is allowed to declare."""
    whole, inside = (Path(*name.split(".")[:end]).with_suffix(".py") for end in (None, -1))
    pure = tree.pure_modules()
    if whole in pure or inside in pure:
        return True
    return str(inside) in DECLARING and _is_declared(tree.parse(inside), name.rpartition(".")[2])


def _is_declared(module: ast.Module, name: str) -> bool:
    """Whether ``name`` is a constant or a Struct of ``module``, not one of its functions or working classes."""
    for node in module.body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            return any(ast.unparse(parent) in ("Struct", "Table", "Message") for parent in node.bases)
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            return True
    return False


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
    assert listed == sorted(set(listed))
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
        "import importlib",
        "from importlib import import_module",
        "def f(): return __import__('os')",
        "from oca.store.reader import StoreReader",
        "import oca.store.reader",
        "from oca.common import *",
        "def f():\n    from steering.fleet import Fleet",
        "import steering.catalogue",
        "from steering import catalogue",
        "from steering.titles.catalogue import Catalogue",
        "from oca.delivery.counters import Page",
        "from oca.common.metrics import os",
    ],
)
def test_purity_refuses_effect(tree: Tree, source: str) -> None:
    assert breaches(tree, ast.parse(source))


@pytest.mark.parametrize(
    "source",
    [
        "from oca.common import units",
        "from oca.common.units import format_bytes",
        "from steering.titles.catalogue import AssetKind, Title",
        "from steering.settings_check import ORIGIN_PATHWAY",
        "from pathlib import PurePosixPath",
    ],
)
def test_purity_allows_decisions_and_declarations(tree: Tree, source: str) -> None:
    assert not breaches(tree, ast.parse(source))


def test_purity_needs_each_declaring_module(tree: Tree) -> None:
    imported = {name.rpartition(".")[0] for module in tree.pure_modules() for name in tree.imported(tree.parse(module))}
    assert {module.removesuffix(".py").replace("/", ".") for module in DECLARING} <= imported
