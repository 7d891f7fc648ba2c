from __future__ import annotations

import os
from pathlib import Path

import pytest

from oca.common.errors import ConfigError
from steering.routes.prefix_files import PrefixFiles, read_prefix_file
from steering.routes.reach import Reach
from steering.settings import RoutesTable
from tests.unit.steering.made_up import make_site


def write(path: Path, text: str, at_s: int) -> Path:
    path.write_text(text)
    os.utime(path, (at_s, at_s))
    return path


async def test_files_are_read_again_when_they_change(tmp_path: Path) -> None:
    path = write(tmp_path / "metro.txt", "# ours\n45.1.0.0/16  # east\n\n2a00::/32\n", 1)
    site = make_site(prefixes=("46.0.0.0/16",), prefix_file=str(path))
    reach = Reach([site, make_site("other")], RoutesTable())
    files = PrefixFiles([site, make_site("other")], reach)
    assert {str(prefix) for prefix, _ in reach.claims.items()} == {"45.1.0.0/16", "46.0.0.0/16", "2a00::/32"}
    await files.look()
    write(path, "45.2.0.0/16\n", 2)
    await files.look()
    assert {str(prefix) for prefix, _ in reach.claims.items()} == {"45.2.0.0/16", "46.0.0.0/16"}
    write(path, "45.3.0.0/16\nnonsense\n", 3)
    for _ in range(2):
        with pytest.raises(ConfigError, match=r"metro.txt, line 2: 'nonsense' is not an address prefix"):
            await files.look()
    path.unlink()
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        await files.look()
    assert {str(prefix) for prefix, _ in reach.claims.items()} == {"45.2.0.0/16", "46.0.0.0/16"}


def test_file_that_cannot_be_used_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="nowhere: cannot be read"):
        read_prefix_file(str(tmp_path / "nowhere"))
    path = write(tmp_path / "list", "45.0.0.1/8\n", 1)
    with pytest.raises(ConfigError, match=r"line 1: '45.0.0.1/8' has bits set beyond its length"):
        read_prefix_file(str(path))
    monkeypatch.setattr("steering.routes.prefix_files.FILE_BYTES_MAX", 3)
    with pytest.raises(ConfigError, match="larger than 3 bytes"):
        read_prefix_file(str(path))
