"""Each effect has one owner: a file that alone may do it, and that may do nothing else of this list.

Ruff's banned-api tells the same sooner, but knows only dotted names (no method of a path, a loop or a task group)
and lets an owner off every ban.
"""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.style.conftest import Tree

TASKS = ("oca/common/tasks.py",)
CLOCK = ("oca/common/clock.py",)
DURABLE = ("oca/store/files.py", "steering/history/files.py")
SENDS = ("oca/delivery/transport.py",)
SENDS_AND_READS = (*SENDS, "oca/delivery/device_read.py", "oca/turnup/system.py")  # the last measures it
CHANCE = ("oca/common/new_key.py", "oca/daemon.py", "fill/service.py", "steering/state/engine.py")
"""Composition roots: they draw, and hand what they drew or the dice to the rest."""

OWNERS: dict[str, tuple[str, ...]] = {
    ".create_task": TASKS,
    ".ensure_future": TASKS,
    ".run_coroutine_threadsafe": TASKS,
    "time": CLOCK,
    ".time()": CLOCK,
    ".now()": CLOCK,
    ".utcnow()": CLOCK,
    ".today()": CLOCK,
    ".sendfile": SENDS_AND_READS,
    ".sock_sendfile": SENDS,
    ".fsync": DURABLE,
    ".fdatasync": DURABLE,
    ".rename": DURABLE,
    ".renames": DURABLE,
    ".replace(target)": DURABLE,
    "os.replace": DURABLE,
    "os.link": DURABLE,
    "os.symlink": DURABLE,
    ".hardlink_to": DURABLE,
    ".symlink_to": DURABLE,
    "secrets": CHANCE,
    "random": (),
    "uuid": (),
    ".urandom": (),
    ".getrandom": (),
    "lmdb": ("oca/store/index.py", "steering/state/embedded.py"),
    "nats": ("steering/state/jetstream.py",),
    "opentelemetry": ("oca/common/span_queue.py", "oca/common/tracer.py"),
    "xxhash": ("oca/common/digest.py",),
}
"""``a.b``: imported or named so; ``.b``: of anything; ``.b()``: called; ``.b(target)``: called with one argument."""


def uses(tree: Tree, source: ast.Module) -> Iterator[str]:
    """Everything a module imports, names or calls, in the forms of ``OWNERS``."""
    for name in tree.imported(source):
        parts = name.split(".")
        yield from (".".join(parts[:depth]) for depth in range(1, len(parts) + 1))
        yield f".{parts[-1]}"
    for node in ast.walk(source):
        if isinstance(node, ast.Attribute):
            yield from (ast.unparse(node), f".{node.attr}")
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            yield f".{node.func.attr}()"
            if len(node.args) == 1 and not node.keywords:
                yield f".{node.func.attr}(target)"


def breaches(tree: Tree, module: Path, source: ast.Module) -> set[str]:
    """Effects in ``module`` that another file owns."""
    return {use for use in uses(tree, source) if str(module) not in OWNERS.get(use, (str(module),))}


def test_effects_stay_with_their_owners(tree: Tree) -> None:
    found = {str(module): wrong for module in tree.modules() if (wrong := breaches(tree, module, tree.parse(module)))}
    assert not found, found


def test_owners_have_what_they_own(tree: Tree) -> None:
    idle = {
        owner
        for owner in {owner for owners in OWNERS.values() for owner in owners}
        if not any(owner in OWNERS.get(use, ()) for use in uses(tree, tree.parse(Path(owner))))
    }
    assert not idle, idle


def test_owners_are_those_that_ruff_lets_off(tree: Tree) -> None:
    lint = tomllib.loads((tree.root / "pyproject.toml").read_text())["tool"]["ruff"]["lint"]
    banned = lint["flake8-tidy-imports"]["banned-api"]
    named = {name: set(uses(tree, ast.parse(f"import {name}\n{name}()"))) & OWNERS.keys() for name in banned}
    assert not [name for name, forms in named.items() if not forms]
    owners = {owner for forms in named.values() for form in forms for owner in OWNERS[form]}
    let_off = {path for path, rules in lint["per-file-ignores"].items() if "TID251" in rules and "*" not in path}
    assert let_off == owners


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("oca/x.py", "loop.create_task(work())"),
        ("oca/x.py", "async def f():\n    async with TaskGroup() as group:\n        group.create_task(work())"),
        ("oca/x.py", "from asyncio import create_task"),
        ("oca/x.py", "import time\ntime.perf_counter()"),
        ("oca/x.py", "from time import perf_counter"),
        ("oca/x.py", "loop.time()"),
        ("oca/x.py", "at = datetime.now(tz=UTC)"),
        ("oca/store/x.py", "source.rename(target)"),
        ("oca/store/x.py", "source.replace(target)"),
        ("oca/store/x.py", "os.replace(source, target)"),
        ("oca/store/x.py", "from os import replace"),
        ("oca/store/x.py", "os.link(source, target)"),
        ("oca/store/x.py", "os.fdatasync(descriptor)"),
        ("oca/store/x.py", "sync = os.fsync"),
        ("fill/x.py", "import secrets"),
        ("fill/x.py", "from uuid import uuid4"),
        ("fill/x.py", "os.urandom(16)"),
        ("oca/common/clock.py", "loop.create_task(work())"),
        ("oca/common/tasks.py", "import time"),
        ("oca/store/files.py", "os.sendfile(1, 2, 0, 3)"),
        ("oca/store/index.py", "os.fsync(descriptor)"),
    ],
)
def test_owners_refuse_effect_of_another(tree: Tree, module: str, source: str) -> None:
    assert breaches(tree, Path(module), ast.parse(source))


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("oca/common/clock.py", "import time\ntime.monotonic()"),
        ("oca/store/files.py", "source.rename(target)"),
        ("fill/service.py", "import secrets"),
        ("oca/x.py", "text.replace('a', 'b')"),
        ("oca/x.py", "at.replace(hour=3)"),
        ("oca/x.py", "from msgspec.structs import replace\nreplace(report, serving='drained')"),
        ("oca/x.py", "self.link.url"),
        ("oca/x.py", "from oca.common.clock import now_ns\nnow_ns()"),
    ],
)
def test_owners_allow_their_own_and_the_harmless(tree: Tree, module: str, source: str) -> None:
    assert not breaches(tree, Path(module), ast.parse(source))
