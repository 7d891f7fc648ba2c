from __future__ import annotations

import os
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from steering.plan import desk_environment as module
from steering.plan.desk_environment import desk_environment

SORTED = "import numpy as np; print(np.sort(np.arange(40_000)[::-1])[:3].tolist())"


def test_numpy_starts_in_it_and_without_wide_instructions() -> None:
    show = "; from numpy._core._multiarray_umath import __cpu_features__ as has; print(has.get('X86_V4', False))"
    told = subprocess.run(
        [sys.executable, "-W", "error", "-c", SORTED + show],
        env=desk_environment(os.environ),
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.splitlines() == ["[0, 1, 2]", "False"]


def test_only_what_numpy_has_code_for_and_uses_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    here = {"X86_V3": True, "X86_V4": True, "AVX512_ICL": True, "AVX512_SPR": False, "AVX512F": True}
    has = ("X86_V3", "X86_V4", "AVX512_ICL", "AVX512_SPR")
    inner = SimpleNamespace(__cpu_dispatch__=has, __cpu_features__=here)
    monkeypatch.setattr(np, "_core", SimpleNamespace(_multiarray_umath=inner))
    assert desk_environment({})["NPY_DISABLE_CPU_FEATURES"] == "X86_V4 AVX512_ICL"
    monkeypatch.setattr(np, "_core", None)
    assert "NPY_DISABLE_CPU_FEATURES" not in desk_environment({})


@pytest.mark.parametrize("name", ["NPY_DISABLE_CPU_FEATURES", "NPY_ENABLE_CPU_FEATURES"])
def test_what_the_operator_set_stays(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_wide", lambda: ["X86_V4"])
    given = {name: "X86_V3", "MALLOC_TRIM_THRESHOLD_": "1", "HOME": "/x"}
    found = desk_environment(given)
    assert {key: found[key] for key in given} == given
    assert [key for key in found if key.startswith("NPY_")] == [name]
