"""What the style tests share: the tree's own files."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("oca", "fill", "steering")


class Tree:
    """The project's files, as committed or about to be."""

    root = ROOT

    def modules(self, *folders: str) -> list[Path]:
        """Python files under ``folders``, relative to the root."""
        return sorted(
            path.relative_to(ROOT) for folder in folders or PACKAGES for path in (ROOT / folder).rglob("*.py")
        )

    def parse(self, module: Path) -> ast.Module:
        return _parse(ROOT / module)

    @staticmethod
    def imported(module: ast.Module) -> Iterator[str]:
        """Dotted names of everything imported, also inside functions; ``a.b`` of ``from a import b``."""
        for node in ast.walk(module):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"line {node.lineno}: relative import; name the package"
                yield from (f"{node.module}.{alias.name}" for alias in node.names)

    def pure_modules(self) -> list[Path]:
        lines = (ROOT / "tests/style/pure_modules.txt").read_text().split()
        return [Path(line) for line in lines]

    def texts(self) -> list[Path]:
        """Every text file that git tracks or would track, relative to the root."""
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            capture_output=True,
            check=True,
            text=True,
        ).stdout.split("\0")
        paths = (ROOT / name for name in listed if name)
        return sorted(path.relative_to(ROOT) for path in paths if path.is_file() and not _is_binary(path))


@cache
def _parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), filename=str(path))


def _is_binary(path: Path) -> bool:
    with path.open("rb") as file:
        return b"\0" in file.read(4096)


@pytest.fixture(scope="session")
def tree() -> Tree:
    return Tree()
