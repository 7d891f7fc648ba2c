"""Where nothing can be compiled, it is said what to install."""

from __future__ import annotations

from pathlib import Path

import pytest

from compiled.extensions import SUFFIX, extension, extensions, runtime_licence


def test_extension_lies_beside_its_source() -> None:
    assert extension("steering/recent.py") == f"steering/recent{SUFFIX}"


@pytest.mark.parametrize(
    ("program", "why"),
    [
        ("", "no C compiler"),
        (
            "#!/bin/sh\n[ $1 = --version ] && echo 12 && exit\necho no Python.h >&2\nexit 1",
            "headers of Python or C (no ",
        ),
    ],
)
def test_extensions_say_what_to_install(
    program: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if program:
        (tmp_path / "gcc").write_text(program)
        (tmp_path / "gcc").chmod(0o755)
    monkeypatch.setenv("CC", str(tmp_path / "gcc"))
    with pytest.raises(SystemExit) as ended, extensions(tmp_path / "kept"):
        pass
    assert why in str(ended.value)
    assert "apt-get install gcc libc6-dev python3-dev" in str(ended.value)
    assert not (tmp_path / "kept").exists()


def test_licence_of_what_is_compiled_in_is_at_hand() -> None:
    text = runtime_licence().read_text().lower()
    assert [word for word in ("mit license", "python software foundation", "getargs.c") if word not in text] == []
