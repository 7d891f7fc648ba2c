"""A module says one thing: length, names, a docstring that says why it exists; tests mirror the tree."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.style.conftest import Tree

MODULE_LINES_MAX = 320
FUNCTION_LINES_MAX = 62
EVERYWHERE = ("oca", "fill", "steering", "demo", "benchmarks", "compiled", "debian", "docs")
VAGUE = ("util", "helper", "misc", "manager", "stuff", "base", "core")
TEST_NAME = re.compile(r"test_[a-z0-9]+(_[a-z0-9]+){2,}\Z")


def test_modules_stay_short(tree: Tree) -> None:
    lengths = {str(path): len((tree.root / path).read_text().splitlines()) for path in tree.modules(*EVERYWHERE)}
    assert not {path: lines for path, lines in lengths.items() if lines > MODULE_LINES_MAX}


def test_functions_stay_short(tree: Tree) -> None:
    long = {}
    for path in tree.modules(*EVERYWHERE):
        for node in ast.walk(tree.parse(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > FUNCTION_LINES_MAX:
                    long[f"{path}:{node.name}"] = lines
    assert not long, long


def test_modules_have_telling_names(tree: Tree) -> None:
    vague = [
        str(path)
        for path in tree.modules(*EVERYWHERE)
        if any(word in (path.stem.rstrip("s"), path.stem) for word in VAGUE)
    ]
    assert not vague, vague


def test_modules_say_why_they_exist(tree: Tree) -> None:
    mute = [str(path) for path in tree.modules(*EVERYWHERE) if not ast.get_docstring(tree.parse(path))]
    assert not mute, mute


def test_tests_carry_telling_names(tree: Tree) -> None:
    found = []
    for path in tree.modules("tests"):
        for node in ast.walk(tree.parse(path)):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or not node.name.startswith("test"):
                continue
            if not TEST_NAME.match(node.name):
                found.append(f"{path}:{node.name}")
    assert not found, found


def test_unit_tests_mirror_modules(tree: Tree) -> None:
    strange = []
    for path in tree.modules("tests/unit"):
        if not path.name.startswith("test_"):
            continue
        below = Path(*path.parts[2:-1])
        name = path.name.removeprefix("test_")
        candidates = [Path("oca") / below / name, Path("oca") / name, below / name]
        if not any((tree.root / candidate).is_file() for candidate in candidates):
            strange.append(str(path))
    assert not strange, strange
