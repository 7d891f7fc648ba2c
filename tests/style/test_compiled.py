"""What is compiled is said once, and lies nowhere beside the sources: tests and coverage would take it for them."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, TypeGuard

from compiled.sources import PACKAGES, listed

if TYPE_CHECKING:
    from tests.style.conftest import Tree


def test_compiled_modules_are_listed_in_order(tree: Tree) -> None:
    modules = listed(tree.root)
    assert modules == sorted(set(modules))
    assert not [path for path in modules if not (tree.root / path).is_file()]


def test_no_extension_module_lies_beside_sources(tree: Tree) -> None:
    assert not [str(path) for folder in PACKAGES for path in (tree.root / folder).rglob("*.so")]


CONSUMERS = {"all", "any", "frozenset", "join", "list", "max", "min", "next", "set", "sorted", "sum", "tuple", "update"}


def test_generators_of_compiled_modules_are_consumed_whole(tree: Tree) -> None:
    """Mypyc makes a list of a generator expression: whoever takes but the first of it pays for all."""
    found = []
    for path in listed(tree.root):
        module = ast.parse((tree.root / path).read_text())
        whole = {id(call.args[0]) for call in ast.walk(module) if _consumes(call)}
        found += [
            f"{path}:{node.lineno}"
            for node in ast.walk(module)
            if isinstance(node, ast.GeneratorExp) and id(node) not in whole
        ]
    assert found == []


def _consumes(node: ast.AST) -> TypeGuard[ast.Call]:
    if not isinstance(node, ast.Call) or not node.args:
        return False
    called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    return called in CONSUMERS
