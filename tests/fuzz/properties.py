"""What must hold for any bytes at all: a right answer by another way of reckoning, or one named error.

Hypothesis (tests/fuzz/test_properties.py) and atheris (tests/fuzz/http1.py) feed the same checks.
"""

from __future__ import annotations

import calendar
import re
import time
from collections.abc import Sequence
from itertools import pairwise
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import unquote_to_bytes

import h11

from oca.delivery.metrics import REFUSAL_REASONS, STATUSES
from oca.delivery.usual import recognise
from oca.http1.conditional import TAGS_MAX, evaluate, range_applies
from oca.http1.dates import format_date, parse_date
from oca.http1.parser import EMPTY_LINES_MAX, KnownBlocks, RequestReader
from oca.http1.ranges import GAP_BYTES_MAX, RANGES_MAX, select_ranges
from oca.http1.request import Fields, Limits, Request, RequestError
from oca.http1.response import answer, refuse, representation
from oca.http1.target import split_target

LIMITS = Limits(head_bytes_max=2048, target_bytes_max=600, fields_max=16)
PATH = b"/harbour/1.m4s"
ABOUT = representation(bytes(range(16)), size=1000, modified_at_s=784111777, media_type="video/mp4", said=b"X-Y: z\r\n")
Reading = tuple[list[Request], RequestError | None, int]


def check_ranges(value: bytes, size: int) -> None:
    """Every byte asked for is sent, none twice, none beyond the end; what is no set is ignored."""
    chosen = select_ranges(value, size)
    wanted = _wanted(value, size)
    if chosen == "whole":
        return
    assert wanted is not None, "answered with a range what is no set of ranges"
    if chosen == "unsatisfiable":
        assert not any(wanted)
        return
    sent = sorted((each.first, each.first + each.length) for each in chosen)
    assert 0 < len(sent) <= RANGES_MAX
    assert all(first < end for first, end in sent)
    assert sent[0][0] >= 0
    assert sent[-1][1] <= size
    assert all(before[1] + GAP_BYTES_MAX < after[0] for before, after in pairwise(sent))
    for want in filter(None, wanted):
        assert any(first <= want.start and want.stop <= end for first, end in sent), want


def _wanted(value: bytes, size: int) -> list[range] | None:
    """What each element of the set asks for, read another way; None when it is no set."""
    unit, equals, specs = value.partition(b"=")
    if unit.lower() != b"bytes" or not equals:
        return None
    wanted = []
    for spec in filter(None, (part.strip(b" \t") for part in specs.split(b","))):
        first, dash, last = spec.partition(b"-")
        if not dash or not (first or last) or not all(part == b"" or part.isdigit() for part in (first, last)):
            return None
        if not first:
            wanted.append(range(max(0, size - min(int(last[-4000:]), size)), size))
            continue
        if last and int(last[-4000:]) < int(first[-4000:]):
            return None
        wanted.append(range(min(int(first[-4000:]), size), min(int(last[-4000:]) + 1, size) if last else size))
    return wanted or None


def check_date(value: bytes) -> None:
    """A date that is read is written again as the same instant, and Python's strptime agrees."""
    at_s = parse_date(value)
    if at_s is None:
        return
    assert parse_date(format_date(at_s).encode()) == at_s
    text = value.decode("ascii")
    if text[3:5] == ", " and ":60" not in text:
        assert at_s == calendar.timegm(time.strptime(text[5:], "%d %b %Y %H:%M:%S GMT"))


def check_conditions(fields: Fields) -> None:
    """An outcome for anything; a list written as the grammar has it is searched as a set would be."""
    outcome = evaluate(fields, etag=ABOUT.etag, modified_at_s=ABOUT.modified_at_s)
    assert outcome in ("proceed", "not-modified", "failed")
    range_applies(fields, etag=ABOUT.etag, modified_at_s=ABOUT.modified_at_s)
    listed = _tags(fields.if_match)
    if listed is not None:
        assert (outcome == "failed") == (ABOUT.etag not in listed)
    elif fields.if_match is None and fields.if_unmodified_since is None:
        listed = _tags(fields.if_none_match)
        if listed is not None:
            assert outcome == ("not-modified" if {ABOUT.etag, b"W/" + ABOUT.etag} & set(listed) else "proceed")


def _tags(value: bytes | None) -> list[bytes] | None:
    """Entity tags of a list that is one by RFC 9110 §8.8.3 and §5.6.1; None for anything else."""
    tag = rb'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"'
    if value is None or not re.fullmatch(rb"%b(?:[ \t]*,[ \t]*%b)*" % (tag, tag), value):
        return None
    tags = re.findall(tag, value)
    return tags if len(tags) <= TAGS_MAX else None


def check_target(target: bytes, method: str) -> None:
    """A path as urllib decodes it, or a named refusal."""
    try:
        path, query = split_target(target, method=method)
    except RequestError as refused:
        _check_refusal(refused)
        return
    if path == b"*":
        assert (target, method) == (b"*", "OPTIONS")
        return
    raw = target if target.startswith(b"/") else b"/" + target.split(b"/", 3)[3] if target.count(b"/") > 2 else b"/"
    if not target.startswith(b"/") and b"?" in target.split(b"/", 3)[2]:
        raw = b"/?" + target.partition(b"?")[2]
    assert path == unquote_to_bytes(raw.partition(b"?")[0])
    assert query == raw.partition(b"?")[2]
    assert path.startswith(b"/")
    assert b"\0" not in path


def check_stream(stream: bytes, cuts: Sequence[int]) -> None:
    """The same requests from a stream fed whole, in pieces, byte by byte, and with every header block known before;
    none that h11, a strict reader of another make, would not read the same; and an answer to each.
    """
    known = KnownBlocks()
    whole = read([stream], known)
    requests, refused, left = whole
    places = sorted({min(cut, len(stream)) for cut in cuts})
    pieces = [stream[begin:end] for begin, end in zip([0, *places], [*places, len(stream)], strict=True)]
    for again in (read(pieces, KnownBlocks()), read([stream], known), read(pieces, known)):
        assert again[0] == requests
        assert (again[1] is None) == (refused is None)
        assert refused is not None or again[2] == left
    if refused is not None:
        _check_refusal(refused)
    _check_against_h11(stream, requests)
    for request in requests:
        _check_answer(request)
    _check_recognised(stream, whole, known)


def read(pieces: Sequence[bytes], known: KnownBlocks) -> Reading:
    """Requests, refusal and bytes left over, as a session would see them; nothing is read behind a refusal."""
    reader = RequestReader(LIMITS, known)
    requests: list[Request] = []
    try:
        for piece in pieces:
            reader.feed(piece)
            while (request := reader.next()) is not None:
                requests.append(request)
    except RequestError as refused:
        return requests, refused, 0
    return requests, None, reader.pending_bytes


def _check_refusal(refused: RequestError) -> None:
    assert refused.reason in REFUSAL_REASONS
    assert refused.status in STATUSES
    reply = refuse(refused)
    assert reply.close
    assert _head_is_sound(reply.head)


def _check_answer(request: Request) -> None:
    for about in (ABOUT, None):
        reply = answer(request, about)
        assert reply.status in STATUSES
        assert _head_is_sound(reply.head)
        assert reply.close is not request.persistent
        assert 0 <= reply.first <= reply.first + reply.length <= 1000
        promised = re.search(rb"\r\nContent-Length: ([0-9]+)\r\n", reply.head)
        body = len(reply.text) + reply.length + sum(len(piece.text) for piece in reply.pieces)
        if request.method == "HEAD":
            assert body == 0
        elif reply.status not in (204, 304):
            assert promised is not None
            assert int(promised[1]) == body
        assert not reply.pieces or sum(piece.length for piece in reply.pieces) == reply.length


_LINE = re.compile(rb"[A-Za-z-]+: [\x20-\x7e]+")


def _head_is_sound(head: bytes) -> bool:
    """Nothing a client sent can have split it: a status line, and lines that each are a field."""
    first, *lines = head.removesuffix(b"\r\n").split(b"\r\n")
    return head.endswith(b"\r\n") and first.startswith(b"HTTP/1.1 ") and all(_LINE.fullmatch(line) for line in lines)


def _check_against_h11(stream: bytes, requests: Sequence[Request]) -> None:
    rest = stream
    for request in requests:
        for _ in range(EMPTY_LINES_MAX):
            rest = rest.removeprefix(b"\r\n")
        peer = h11.Connection(our_role=h11.SERVER, max_incomplete_event_size=4096)
        peer.receive_data(rest)
        seen = peer.next_event()
        assert isinstance(seen, h11.Request), seen
        assert seen.method.decode() == request.method
        assert split_target(seen.target, method=request.method) == (request.path, request.query)
        told = dict(seen.headers)
        assert told.get(b"range") is None or request.fields.range is not None
        assert int(told.get(b"content-length", b"0")) == 0
        assert b"transfer-encoding" not in told
        assert min(int(seen.http_version[2:]), 1) == request.minor
        assert isinstance(peer.next_event(), h11.EndOfMessage)
        rest = peer.trailing_data[0]


_FOUND: Any = SimpleNamespace(epoch=0)
_SERVICE = cast(
    "Any",
    SimpleNamespace(
        limits=LIMITS, gate=None, reads=SimpleNamespace(epoch=0), lookup=SimpleNamespace(quick={PATH: _FOUND})
    ),
)


def _check_recognised(stream: bytes, whole: Reading, known: KnownBlocks) -> None:
    """The short way through oca.delivery.usual knows a request only when the full way reads the same."""
    _SERVICE.known = known
    usual = recognise(stream, _SERVICE)
    if usual is not None:
        found, fields, query = usual
        assert found is _FOUND
        assert whole == ([Request("GET", PATH, fields, persistent=True, query=query)], None, 0)
        assert fields.plain
