"""One rule on both sides: a token that steering takes is one that the box can show, and the other way round."""

from __future__ import annotations

from pathlib import Path

import pytest

from oca.common.errors import ConfigError
from oca.common.token import TOKEN_CHARACTERS_MAX, TOKEN_CHARACTERS_MIN, read_token

SETTING = "steering.token_file"
EVERY_SIGN = "".join(map(chr, range(0x21, 0x7F)))


@pytest.mark.parametrize(
    ("content", "token"),
    [
        ("0123456789abcdef", "0123456789abcdef"),
        ("0123456789abcdef\n", "0123456789abcdef"),
        ("0123456789abcdef\r\n", "0123456789abcdef"),
        (EVERY_SIGN, EVERY_SIGN),
        ("x" * TOKEN_CHARACTERS_MIN, "x" * TOKEN_CHARACTERS_MIN),
        ("x" * TOKEN_CHARACTERS_MAX + "\r\n", "x" * TOKEN_CHARACTERS_MAX),
    ],
)
def test_token_is_read_without_its_line_end(tmp_path: Path, content: str, token: str) -> None:
    (tmp_path / "token").write_bytes(content.encode())
    assert read_token(str(tmp_path / "token"), setting=SETTING) == token


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b"two words of a token",
        b" 0123456789abcdef",
        b"0123456789abcdef\n\n",
        b"0123456789abcdef\nmore\n",
        b"0123456789abcdef\0",
        b"\xff" * 20,
        "é".encode() * 20,
        b"x" * (TOKEN_CHARACTERS_MIN - 1),
        b"x" * (TOKEN_CHARACTERS_MAX + 1),
        b"x" * TOKEN_CHARACTERS_MAX + b"\r\nmore",
        b"x" * 5000,
    ],
)
def test_token_refuses_what_is_no_token(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "token"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="must hold one line of 16 to 4096 printable ASCII characters") as refused:
        read_token(str(path), setting=SETTING)
    assert refused.value.message.startswith(f"{SETTING} = '{path}': ")
    assert "0123456789abcdef" not in str(refused.value)


@pytest.mark.parametrize(("name", "told"), [("none", "No such file or directory"), ("", "Is a directory")])
def test_token_names_file_that_cannot_be_read(tmp_path: Path, name: str, told: str) -> None:
    with pytest.raises(ConfigError, match=f"cannot be read: {told}"):
        read_token(str(tmp_path / name), setting=SETTING)


def test_token_is_empty_where_no_file_is_set() -> None:
    assert read_token("", setting=SETTING) == ""
