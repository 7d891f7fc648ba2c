"""Every endpoint of steering is asked what its OpenAPI document allows, and what not: no fault, no surprise."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.fuzz.api import fuzz

pytestmark = pytest.mark.system

SECONDS = 8


def test_steering_answers_whatever_its_document_allows(tmp_path: Path) -> None:
    seed = int(os.environ.get("SEED") or 1)
    code, said = fuzz(tmp_path, seconds=SECONDS, seed=seed, address="127.0.105.2:8090")
    assert code == 0, said
    found = re.search(r"Operations: +(\d+) selected / (\d+) total", said)
    assert found is not None, said
    assert found[1] == found[2]
    assert "request failed" not in (tmp_path / "steering.log").read_text()
