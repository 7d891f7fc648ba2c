"""What the RFCs want of a case, by table: independent of the server's code, so that it can judge it.

RFC 9110 §13.2.2 (precedence of preconditions), §14.2 (ranges), RFC 9112 §2.2, §3.2, §6.3 (what is refused), §9.3 (which
connection lives on).
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.conformance.cases import OBJECTS, Case

_REFUSED: dict[tuple[str, str], int] = {
    ("method", "POST"): 405,
    ("method", "PUT"): 405,
    ("method", "DELETE"): 405,
    ("method", "TRACE"): 405,
    ("method", "BREW"): 501,
    ("version", "2.0"): 505,
    ("version", "0.9"): 505,
    ("version", "1.11"): 400,
    ("version", "none"): 400,
    ("target", "bad-escape"): 400,
    ("target", "nul-escape"): 400,
    ("target", "fragment"): 400,
    ("target", "relative"): 400,
    ("target", "quote"): 400,
    ("target", "authority"): 400,
    ("host", "twice"): 400,
    ("host", "space"): 400,
    ("host", "slash"): 400,
    ("other", "folded"): 400,
    ("other", "space-colon"): 400,
    ("other", "no-colon"): 400,
    ("other", "no-name"): 400,
    ("other", "nul"): 400,
    ("other", "bare-cr"): 400,
    ("other", "bare-lf"): 400,
    ("other", "control"): 400,
    ("other", "bad-length"): 400,
    ("other", "lengths"): 400,
    ("other", "length-list"): 400,
    ("other", "length-and-chunked"): 400,
    ("other", "coding"): 400,
    ("other", "identity"): 400,
    ("other", "content"): 400,
    ("other", "chunked"): 400,
    ("other", "expect"): 417,
}
_MISSING = ("missing", "twice-escaped", "dots", "slashes", "outside")
_INVALID_DATES = ("none", "garbage", "impossible", "zone")
_TAGS_STRONG = ("same", "list", "star")
_TAGS_WEAK = (*_TAGS_STRONG, "weak")
_WHOLE = ("backwards", "malformed", "unit", "unit-spaced", "twice", "many", "bomb")
"""Ranges that are ignored: malformed, of an unknown unit, or more than anybody needs."""


@dataclass(frozen=True)
class Expected:
    """``statuses``: any of these; with a refusal the connection ends."""

    statuses: frozenset[int]
    refused: bool
    lives: bool


def expected(case: Case) -> Expected:
    kinds = case.kinds
    refusals = {status for place, status in _REFUSED.items() if kinds[place[0]] == place[1]}
    if kinds["version"] != "1.0" and kinds["host"] == "missing":
        refusals.add(400)
    if kinds["target"] == "asterisk" and case.method != "OPTIONS":
        refusals.add(400)
    if refusals:
        return Expected(frozenset(refusals), refused=True, lives=False)
    asked_to_stay = kinds["connection"] in ("keep-alive", "several")
    lives = asked_to_stay if kinds["version"] == "1.0" else kinds["connection"] not in ("close", "close-list")
    return Expected(frozenset(_answers(case)), refused=False, lives=lives)


def _answers(case: Case) -> set[int]:
    kinds = case.kinds
    if case.method == "OPTIONS":
        return {204}
    if kinds["target"] in _MISSING:
        return {404}
    if kinds["If-Match"] != "none":
        if kinds["If-Match"] not in _TAGS_STRONG:
            return {412}
    elif kinds["If-Unmodified-Since"] == "earlier":
        return {412}
    if kinds["If-None-Match"] != "none":
        if kinds["If-None-Match"] in _TAGS_WEAK:
            return {304}
    elif kinds["If-Modified-Since"] not in (*_INVALID_DATES, "earlier"):
        return {304}
    if case.method == "HEAD" or kinds["If-Range"] not in ("none", "same", "date") or not OBJECTS[case.object]:
        return {200}
    return _ranged(case)


def _ranged(case: Case) -> set[int]:
    kind, size = case.kinds["Range"], OBJECTS[case.object]
    if kind == "none" or kind in _WHOLE:
        return {200}
    if kind == "beyond":
        return {416}
    if kind in ("open", "suffix"):
        text = case.template.partition("Range: bytes=")[2].partition("\r")[0]
        missed = int(text[:-1]) >= size if kind == "open" else int(text[1:]) == 0
        return {416} if missed else {206}
    # Several that ask for more than there is get the whole; that the right bytes come is looked at in the bodies.
    return {200, 206} if kind in ("two", "few") or (kind == "spaces" and size == 1) else {206}
