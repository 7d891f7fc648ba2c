"""Machine code is made anew when anything changes that it follows from, and only then."""

from __future__ import annotations

from pathlib import Path

import pytest

from compiled.sources import interpreted, listed, needed, recipe

SOURCES = {
    "oca/__init__.py": "",
    "oca/common/clock.py": "HOUR_S = 3600",
    "steering/__init__.py": "",
    "steering/recent.py": "import json\nfrom steering import order",
    "steering/order.py": "def f():\n    from oca.common.clock import HOUR_S",
    "steering/page.py": "import steering.recent",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, text in SOURCES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "pyproject.toml").write_text('[tool.compiled]\nmodules = ["steering/recent.py"]\n')
    return tmp_path


def test_needed_follows_imports_of_ours(root: Path) -> None:
    assert needed(root, listed(root)) == sorted(SOURCES.keys() - {"steering/page.py"})


@pytest.mark.parametrize(("path", "same"), [("oca/common/clock.py", False), ("steering/page.py", True)])
def test_recipe_changes_with_what_is_imported(root: Path, path: str, same: bool) -> None:
    before = recipe(root, listed(root), ["gcc 12"])
    (root / path).write_text("HOUR_S = 3601")
    assert (recipe(root, listed(root), ["gcc 12"]) == before) is same


def test_recipe_changes_with_tools_and_list(root: Path) -> None:
    lists = (["steering/recent.py"], ["steering/page.py"])
    told = {recipe(root, modules, [tool]) for modules in lists for tool in "ab"}
    assert len(told) == 4


def test_interpreted_names_modules_without_machine_code() -> None:
    assert interpreted(["oca/__init__.py", "steering/no_such.py", "math.py"]) == [
        "oca/__init__.py",
        "steering/no_such.py",
    ]
