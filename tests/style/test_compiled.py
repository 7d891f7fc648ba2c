"""What is compiled is said once, and lies nowhere beside the sources: tests and coverage would take it for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compiled.sources import PACKAGES, listed

if TYPE_CHECKING:
    from tests.style.conftest import Tree


def test_compiled_modules_are_listed_in_order(tree: Tree) -> None:
    modules = listed(tree.root)
    assert modules == sorted(set(modules))
    assert not [path for path in modules if not (tree.root / path).is_file()]


def test_no_extension_module_lies_beside_sources(tree: Tree) -> None:
    assert not [str(path) for folder in PACKAGES for path in (tree.root / folder).rglob("*.so")]
