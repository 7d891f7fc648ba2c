"""What a peer of ours said when it refused: its problem details (RFC 9457), in an operator's words. Pure.

How our own services word a refusal is ``oca.common.problem``.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from oca.common.messages import Problem

PART_CHARACTERS_MAX = 200
PROBLEM_BYTES_MAX = 2**16
_decode = msgspec.json.Decoder(Problem).decode


class Refused(NamedTuple):
    """What was said and what to do about it, each on one line; empty where nothing was said."""

    said: str
    remedy: str


def read_refusal(raw: bytes) -> Refused:
    """The words of a refusal's body, whoever sent it: something between us and the peer may have answered."""
    try:
        problem = _decode(raw)
    except msgspec.DecodeError:
        return Refused(said=_line(raw[: 4 * PART_CHARACTERS_MAX].decode("utf-8", "replace")), remedy="")
    parts = (_line(problem.title), _line(problem.detail))
    return Refused(said=": ".join(part for part in parts if part), remedy=_line(problem.remedy))


def _line(text: str) -> str:
    """One line of bounded length that cannot steer a terminal."""
    words = "".join(sign if sign.isprintable() else " " for sign in text).split()
    return " ".join(words)[:PART_CHARACTERS_MAX]
