"""The import rules of ARCHITECTURE.md."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.style.conftest import Tree

OURS = ("oca", "fill", "steering", "demo", "benchmarks", "tests", "compiled", "debian")

MAY_IMPORT = {
    "oca/common": ("oca.common",),
    "oca/http1": ("oca.http1", "oca.common"),
    "oca/store": ("oca.store", "oca.common"),
    "oca/network": ("oca.network", "oca.common"),
    "oca/delivery": ("oca.delivery", "oca.http1", "oca.store", "oca.common"),
    "oca/report": ("oca.report", "oca.network", "oca.store", "oca.common"),
    "oca/admin": ("oca.admin", "oca.report", "oca.network", "oca.store", "oca.common"),
    "oca/turnup": ("oca.turnup", "oca.admin", "oca.network", "oca.report", "oca.store", "oca.common"),
    "oca": ("oca",),
    "fill": ("fill", "oca.common", "oca.store"),
    "steering": ("steering", "oca.common"),
    "steering/titles": ("steering.titles", "steering.state", "steering.trust", "steering.recent", "oca.common"),
    "steering/decision": (
        *(
            "steering.decision",
            "steering.fleet",
            "steering.routes",
            "steering.titles",
            "steering.settings",
            "oca.common",
        ),
        *("steering.settings_check", "steering.signing", "steering.tokens", "steering.metrics", "steering.geography"),
        "steering.recent",
    ),
    "steering/state": ("steering.state", "oca.common"),
}
"""Folder → what its modules may import of ours; the longest folder that fits a module holds."""

ALWAYS = ("oca", "oca.__version__")
"""The bare package says its version and where it lies; exact names, not what is inside."""


def breaches(tree: Tree, module: Path, source: ast.Module) -> list[str]:
    """Imports that the module's folder may not have."""
    folder = max((each for each in MAY_IMPORT if module.is_relative_to(each)), key=len)
    allowed = MAY_IMPORT[folder]
    ours = (name for name in tree.imported(source) if name.split(".")[0] in OURS and name not in ALWAYS)
    return [name for name in ours if not any(f"{name}.".startswith(f"{prefix}.") for prefix in allowed)]


def test_packages_keep_import_rules(tree: Tree) -> None:
    found = {str(module): wrong for module in tree.modules() if (wrong := breaches(tree, module, tree.parse(module)))}
    assert not found, found


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("oca/common/x.py", "from oca.store import reader"),
        ("oca/report/x.py", "from oca.delivery.supervisor import Supervisor"),
        ("oca/admin/x.py", "import oca.delivery"),
        ("oca/http1/x.py", "def f():\n    from oca.delivery import session"),
        ("oca/cli.py", "import fill.agent"),
        ("steering/x.py", "from oca.store.reader import StoreReader"),
        ("steering/decision/x.py", "from steering.players.answer import playback_answer"),
        ("fill/x.py", "from oca.delivery import settings"),
    ],
)
def test_layering_refuses_breach(tree: Tree, module: str, source: str) -> None:
    assert breaches(tree, Path(module), ast.parse(source))
