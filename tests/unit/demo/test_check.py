from __future__ import annotations

from pathlib import Path

import pytest

from demo.check import origin_differences
from demo.player import Played
from oca.common.digest import digest_hex


def _played(path: str, body: bytes) -> Played:
    return Played("video", 0, "metro-a", path, len(body), digest_hex(body), 0.01)


@pytest.fixture
def library(tmp_path: Path) -> Path:
    (tmp_path / "film").mkdir()
    (tmp_path / "film" / "chunk-stream0-00001.m4s").write_bytes(b"picture")
    return tmp_path


def test_check_passes_bytes_of_origin(library: Path) -> None:
    assert origin_differences([_played("/film/chunk-stream0-00001.m4s", b"picture")], library) == []


@pytest.mark.parametrize("body", [b"pictura", b"pict", b""])
def test_check_names_other_bytes(library: Path, body: bytes) -> None:
    path = "/film/chunk-stream0-00001.m4s"
    assert origin_differences([_played(path, body)], library) == [path]
