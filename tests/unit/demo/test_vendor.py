"""The player must reach whoever installs the wheel, though git ignores it."""

from __future__ import annotations

import tomllib
from pathlib import PurePosixPath

import pytest

from demo.vendor import PLAYER_FILES, ROOT, VENDOR


@pytest.mark.parametrize("name", PLAYER_FILES)
def test_wheel_takes_player_file_in(name: str) -> None:
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    path = PurePosixPath((VENDOR / name).relative_to(ROOT))
    assert any(path.match(pattern) for pattern in build.get("artifacts", [])), f"{path} fits none"
