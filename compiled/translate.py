"""Runs mypyc in the current folder, which holds copies of the packages: ``python translate.py OUT CONFIG MODULE …``.

A program of its own, for setuptools takes a process over: its folder, its arguments, its settings. It must not run
where our ``pyproject.toml`` lies, which setuptools would read as if it built the project.
"""

from __future__ import annotations

import sys

from mypyc.build import mypycify
from setuptools import setup


def main(out: str, config: str, *modules: str) -> None:
    """Leave the extension modules below ``out``; mypy goes by the ``[tool.mypy]`` of ``config``."""
    extensions = mypycify(
        ["--config-file", config, "--cache-dir=/dev/null", *modules],
        opt_level="3",
        debug_level="0",  # the same bytes, wherever it was compiled
        group_name="open_appliance",
    )
    setup(
        name="open-appliance",
        packages=[],
        ext_modules=extensions,
        script_args=["--quiet", "build_ext", f"--build-lib={out}", "--build-temp=build"],
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
