"""Where we and nginx answer differently, and why: every difference is of one of these classes, or a fault."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from tests.conformance.cases import OBJECTS, Case
from tests.conformance.observe import Seen, parts

Test = Callable[[Case, Seen, Seen], bool]


@dataclass(frozen=True)
class Class:
    """``applies(case, ours, theirs)`` says whether a difference is of this class."""

    name: str
    ours: str
    theirs: str
    why: str
    applies: Test
    rare: bool = False
    """Not met in every ten thousand."""

    @property
    def row(self) -> str:
        """As docs/conformance.md has it."""
        return f"| {self.name} | {self.ours} | {self.theirs} | {self.why} |"


def _kind(dimension: str, *kinds: str) -> Test:
    return lambda case, ours, theirs: case.kinds[dimension] in kinds


def _refuses(dimension: str, *kinds: str) -> Test:
    """We refuse the request for this, and the connection ends."""
    return lambda case, ours, theirs: case.kinds[dimension] in kinds and ours.status >= 400 and not ours.lives


def _answered(test: Test) -> Test:
    """The request itself was fine to both: they differ in what they make of its conditions and ranges."""
    fine = (200, 206, 304, 412, 416)
    return lambda case, ours, theirs: ours.status in fine and theirs.status in fine and test(case, ours, theirs)


def _same_ranges(case: Case, ours: Seen, theirs: Seen) -> bool:
    """Both sent parts, and every byte that nginx sent is in ours."""
    size = OBJECTS[case.object]
    mine, other = parts(ours, size), parts(theirs, size)
    if case.kinds["Range"] not in ("two", "few", "spaces") or mine is None or other is None:
        return False
    held = {first + place: byte for first, data in mine for place, byte in enumerate(data)}
    return all(held.get(first + place) == byte for first, data in other for place, byte in enumerate(data))


def _both_set(first: str, second: str) -> Test:
    return lambda case, ours, theirs: case.kinds[first] != "none" != case.kinds[second]


CLASSES = (
    Class(
        "line endings",
        "400",
        "takes a bare LF for a line's end",
        "RFC 9112 §2.2 allows either; two readings of one head are what smuggling lives on",
        _refuses("other", "bare-lf", "bare-cr"),
    ),
    Class(
        "field syntax",
        "400",
        "passes over a line without colon, lets control characters through",
        "RFC 9112 §5.1, RFC 9110 §5.5",
        _refuses("other", "no-colon", "no-name", "control", "folded", "space-colon", "nul"),
    ),
    Class(
        "content",
        "400",
        "reads it and drops it",
        "RFC 9110 §9.3.1: content in a GET has no meaning and may be refused; then no body has to be found the end of",
        _refuses("other", "content", "chunked"),
    ),
    Class(
        "length and coding",
        "400",
        "501 for a coding it does not know; 400",
        "RFC 9112 §6.3: where chunked is not the last coding a server MUST answer 400",
        _refuses("other", "coding", "identity", "length-and-chunked", "lengths", "length-list", "bad-length"),
    ),
    Class(
        "expectation",
        "417",
        "ignores what it does not know",
        "RFC 9110 §10.1.1 allows 417",
        _refuses("other", "expect"),
    ),
    Class(
        "version",
        "400, 505",
        "reads HTTP/1.11, answers HTTP/0.9 in its way",
        "RFC 9112 §2.3: one digit each; HTTP/0.9 is no more (§2.3, appendix C.1)",
        _refuses("version", "0.9", "1.11", "none", "2.0"),
    ),
    Class(
        "target",
        "400",
        "cuts a fragment off, takes quotes and angle brackets",
        "RFC 9112 §3.2: a target that is none SHOULD be answered 400, not mended",
        _refuses("target", "fragment", "quote", "asterisk", "relative", "authority", "bad-escape", "nul-escape"),
    ),
    Class(
        "method",
        "405 or 501, and the connection ends",
        "405, and it lives on",
        "RFC 9110 §9.1: 501 for an unknown method; a method that carries content leaves its end in doubt",
        _refuses("method", "POST", "PUT", "DELETE", "TRACE", "BREW"),
    ),
    Class(
        "options",
        "204 with Allow and the preflight's fields",
        "405; 400 for `*`",
        "RFC 9110 §9.3.7, RFC 9112 §3.2.4; players on other origins ask so",
        lambda case, ours, theirs: case.method == "OPTIONS" and ours.status == 204 and theirs.status in (400, 405),
    ),
    Class(
        "empty host",
        "as if it were any",
        "400",
        "RFC 9112 §3.2: a client sends it for a URI without authority",
        lambda case, ours, theirs: case.kinds["host"] == "empty" and theirs.status == 400,
    ),
    Class(
        "paths as they are",
        "404",
        "resolves . and .., joins slashes",
        "RFC 3986 §6.2.2: clients do this before they ask; our keys are byte for byte",
        lambda case, ours, theirs: case.kinds["target"] in ("dots", "slashes", "outside") and ours.status == 404,
    ),
    Class(
        "HEAD and Range",
        "200",
        "206",
        "RFC 9110 §14.2: Range is defined for GET alone",
        _answered(lambda case, ours, theirs: case.method == "HEAD" and case.kinds["Range"] != "none"),
    ),
    Class(
        "precedence of conditions",
        "If-Match before If-Unmodified-Since, If-None-Match before If-Modified-Since",
        "each of the two must hold",
        "RFC 9110 §13.2.2",
        _answered(
            lambda case, ours, theirs: (
                _both_set("If-Match", "If-Unmodified-Since")(case, ours, theirs)
                or _both_set("If-None-Match", "If-Modified-Since")(case, ours, theirs)
            )
        ),
    ),
    Class(
        "dates that are none",
        "ignored",
        "412, or read as far as it goes",
        "RFC 9110 §13.1.3, §13.1.4",
        _answered(
            lambda case, ours, theirs: any(
                case.kinds[name] in ("garbage", "impossible", "zone")
                for name in ("If-Modified-Since", "If-Unmodified-Since")
            )
        ),
    ),
    Class(
        "lists that are none",
        "end at what is no tag",
        "searched further",
        "RFC 9110 §13.1.1: a list of entity tags",
        _answered(
            lambda case, ours, theirs: any(
                case.kinds[name] in ("unquoted-list", "garbage", "empty") for name in ("If-Match", "If-None-Match")
            )
        ),
    ),
    Class(
        "nothing to range over",
        "200 with no bytes",
        "416 for a position beyond none",
        "RFC 9110 §14.2 lets a server ignore Range; ffmpeg asks `bytes=0-` of an empty subtitle too",
        _answered(lambda case, ours, theirs: not OBJECTS[case.object] and case.kinds["Range"] != "none"),
    ),
    Class(
        "several ranges",
        "those that touch or nearly touch are joined",
        "each by itself",
        "RFC 9110 §15.3.7.2 allows to coalesce; every byte asked for is there",
        _same_ranges,
    ),
    Class(
        "ranges beyond the bound",
        "200, the whole",
        "206 with every part, as long as they sum up to less than the whole",
        "RFC 9110 §14.2: many ranges may be ignored; `delivery.ranges_max`",
        _answered(lambda case, ours, theirs: case.kinds["Range"] in ("many", "bomb") and ours.status == 200),
    ),
    Class(
        "ranges that are none",
        "ignored, 200",
        "416",
        "RFC 9110 §14.2: an invalid ranges-specifier may be ignored, and players can use the whole",
        _answered(_kind("Range", "backwards", "malformed", "twice", "unit-spaced")),
    ),
    Class(
        "huge last position",
        "206 to the end",
        "416",
        "RFC 9110 §14.1.2: a last position beyond the end means the end, however many digits",
        _answered(_kind("Range", "huge")),
    ),
    Class(
        "which of two faults",
        "refused for one",
        "refused for the other",
        "no order is given between a bad Host and the rest",
        lambda case, ours, theirs: ours.status >= 400 <= theirs.status and not ours.lives and not theirs.lives,
        rare=True,
    ),
)


BESIDE = (
    Class(
        "100 (Continue) that nobody waits for",
        "no 100 before the answer to a request without content",
        "100, then the answer",
        "RFC 9110 §10.1.1 lets a server omit it",
        lambda case, ours, theirs: theirs.interim == (100,) and not ours.interim,
    ),
    Class(
        "412 and the connection",
        "lives on",
        "ends",
        "nothing in RFC 9112 §9.3 asks for the end; a player keeps its connection",
        lambda case, ours, theirs: ours.status == theirs.status == 412 and ours.lives and not theirs.lives,
    ),
)
"""What nginx does beside its answer; the answers are compared all the same."""


def explain(case: Case, ours: Seen, theirs: Seen) -> list[str] | None:
    """Names of the classes that a difference is of, none when there is no difference; None when nothing explains it."""
    beside = [each.name for each in BESIDE if each.applies(case, ours, theirs)]
    theirs = replace(theirs, interim=ours.interim if BESIDE[0].name in beside else theirs.interim)
    theirs = replace(theirs, lives=ours.lives if BESIDE[1].name in beside else theirs.lives)
    if ours == theirs:
        return beside
    for each in CLASSES:
        if each.applies(case, ours, theirs):
            return [*beside, each.name]
    return None
