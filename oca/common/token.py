"""The secret that an appliance and steering share: one rule for its file, whichever side reads it."""

from __future__ import annotations

import re
from pathlib import Path

from oca.common.errors import ConfigError

TOKEN_CHARACTERS_MIN = 16
TOKEN_CHARACTERS_MAX = 4096
# What goes into ``Authorization: Bearer`` as it is; one line end is the editor's.
_TOKEN_FILE = re.compile(rb"([!-~]{%d,%d})(?:\r?\n)?" % (TOKEN_CHARACTERS_MIN, TOKEN_CHARACTERS_MAX))


def read_token(path: str, *, setting: str) -> str:
    """The token in the file ``path``; empty where ``path`` is.

    Args:
        path: The setting's value.
        setting: The key that names the file, for the message.

    Raises:
        ConfigError: The file cannot be read, or holds anything but one token.
    """
    if not path:
        return ""
    try:
        with Path(path).open("rb") as file:
            raw = file.read(TOKEN_CHARACTERS_MAX + len("\r\n") + 1)
    except OSError as error:
        raise ConfigError(
            f"{setting} = {path!r}: cannot be read: {error.strerror}", remedy="check the path and its permissions"
        ) from None
    found = _TOKEN_FILE.fullmatch(raw)
    if found is None:
        raise ConfigError(
            f"{setting} = {path!r}: must hold one line of {TOKEN_CHARACTERS_MIN} to {TOKEN_CHARACTERS_MAX} printable "
            "ASCII characters without spaces",
            remedy="write the same long random token on both sides, as 'openssl rand -hex 32' makes",
        )
    return found[1].decode("ascii")
