"""What a process that plans finds in its environment, so that NumPy is quick there."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

MALLOC_BYTES = 32 * 2**20
"""Columns up to this size are taken from memory that was used before, rather than asked of the kernel for each anew."""
_FEATURES = ("NPY_DISABLE_CPU_FEATURES", "NPY_ENABLE_CPU_FEATURES")


def desk_environment(given: Mapping[str, str]) -> dict[str, str]:
    """The environment with what is missing in it.

    Without the instructions of 512 bits: NumPy's sort by them writes compressed vectors to memory, which processors of
    AMD's do by microcode. There 60,000 whole numbers take 2.6 ms by them and 0.4 ms by those of 256 bits.
    """
    found = {"MALLOC_MMAP_THRESHOLD_": str(MALLOC_BYTES), "MALLOC_TRIM_THRESHOLD_": str(2**30)} | dict(given)
    wide = _wide()
    if wide and not any(name in given for name in _FEATURES):  # one that is set stays, and NumPy refuses both
        found[_FEATURES[0]] = " ".join(wide)
    return found


def _wide() -> list[str]:
    """The sets of instructions of 512 bits that NumPy has code for and uses here; by names that it may change."""
    core = getattr(np, "_core", None)
    inner = getattr(core, "_multiarray_umath", None)
    has, here = getattr(inner, "__cpu_dispatch__", ()), getattr(inner, "__cpu_features__", {})
    return [name for name in has if here.get(name) and ("AVX512" in name or name == "X86_V4")]
