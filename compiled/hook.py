"""Hatchling's hook for a wheel with the listed modules compiled: only where ``OPEN_APPLIANCE_COMPILED`` is set.

It names the folder in which extension modules are kept between two builds. Unset, and in an editable installation,
everything stays as it is in the sources.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ASKED = "OPEN_APPLIANCE_COMPILED"


class CompiledHook(BuildHookInterface[Any]):
    """Adds the extension modules to the wheel, which then is for one version of Python and one architecture."""

    def dependencies(self) -> list[str]:
        """What an isolated build needs: the compiler, and what our modules import, for its types."""
        if not os.environ.get(ASKED):
            return []
        core = self.metadata.core
        return [*core.dependencies, *core.optional_dependencies["compile"]]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, in a process of its own, and name what came of it."""
        kept = os.environ.get(ASKED)
        if not kept or version == "editable":
            return
        command = [sys.executable, "-m", "compiled", "--extensions", "--kept", str(Path(kept).absolute())]
        searched = os.pathsep.join(filter(None, (self.root, os.environ.get("PYTHONPATH"))))
        done = subprocess.run(
            command, env={**os.environ, "PYTHONPATH": searched}, stdout=subprocess.PIPE, text=True, check=False
        )
        if done.returncode:
            raise SystemExit(done.returncode)  # it has said why
        *_, licence, folder = done.stdout.splitlines()
        made = Path(folder)
        build_data["extra_metadata"][licence] = "mypyc.LICENSE"
        for path in sorted(made.rglob("*.so")):
            build_data["force_include"][str(path)] = str(path.relative_to(made))
        build_data["pure_python"] = False
        build_data["infer_tag"] = True
