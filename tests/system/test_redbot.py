"""REDbot, a checker of HTTP servers that others wrote, against the appliance.

Whole, partial and conditional answers of each kind of object by REDbot itself; every other answer by its httplint.
"""

from __future__ import annotations

import json
import struct
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from httplint import HttpRequestLinter, HttpResponseLinter
from PIL import Image

from tests.conformance.wire import Address, exchange
from tests.system.test_serve import HOST, Box, box
from tests.waiting import WAIT_S

pytestmark = pytest.mark.system

__all__ = ["box"]
PASSES = {"DATE_CORRECT", "CL_CORRECT", "FRESHNESS_FRESH", "RANGE_CORRECT", "INM_304", "IMS_304"}
"""What REDbot has to find good in each object."""
SEGMENT = struct.pack(">I4s4sI4s", 24, b"styp", b"msdh", 0, b"msdh") + b"cmf2" + bytes(range(256)) * 40
INIT = struct.pack(">I4s4sI4s", 24, b"ftyp", b"mp42", 0, b"mp42") + b"iso6" + bytes(1000)
EXPLAINED = {
    ("CONTENT_TYPE_MISMATCH", "mp4"): "browsers' sniffing, which REDbot goes by, tells few kinds of MP4 apart",
    ("CONTENT_TYPE_MISMATCH", "m4s"): "and knows no media segment",
    ("CONTENT_TYPE_MISMATCH", "m4a"): "nor audio from video",
    ("STATUS_URI_TOO_LONG", "too long a target"): "that is the answer asked for",
    ("CORS_PREFLIGHT_ONLY", "OPTIONS"): "a plain OPTIONS is answered as a preflight is; browsers pass over the rest",
    ("PARTIAL_WITHOUT_RANGE", "several ranges"): "RFC 9110 §15.3.7.2: a multipart answer must not have Content-Range",
}
"""Warnings that are no fault of ours."""
REQUESTS = {
    "one range": ("GET", "1.m4s", "Range: bytes=100-199\r\n", 206),
    "several ranges": ("GET", "1.m4s", "Range: bytes=0-9,5000-5009\r\n", 206),
    "a range that holds by tag": ("GET", "1.m4s", "Range: bytes=0-9\r\nIf-Range: {etag}\r\n", 206),
    "a range that no longer holds": ("GET", "1.m4s", 'Range: bytes=0-9\r\nIf-Range: "old"\r\n', 200),
    "a range beyond the end": ("GET", "1.m4s", "Range: bytes=99999-\r\n", 416),
    "not modified by tag": ("GET", "1.m4s", "If-None-Match: {etag}\r\n", 304),
    "not modified, HEAD": ("HEAD", "1.m4s", "If-None-Match: *\r\n", 304),
    "a failed condition": ("GET", "1.m4s", 'If-Match: "old"\r\n', 412),
    "HEAD": ("HEAD", "1.m4s", "", 200),
    "an empty object": ("GET", "empty.vtt", "", 200),
    "a miss": ("GET", "none.m4s", "", 404),
    "OPTIONS": ("OPTIONS", "1.m4s", "", 204),
    "a preflight": (
        "OPTIONS",
        "1.m4s",
        "Origin: http://a.example\r\nAccess-Control-Request-Method: GET\r\nAccess-Control-Request-Headers: range\r\n",
        204,
    ),
    "a method that is not allowed": ("POST", "1.m4s", "", 405),
    "an unknown method": ("BREW", "1.m4s", "", 501),
    "no host": ("GET", "1.m4s", "Host: b\r\n", 400),
    "content": ("GET", "1.m4s", "Content-Length: 3\r\n", 400),
    "an expectation": ("GET", "1.m4s", "Expect: tea\r\n", 417),
    "too large a head": ("GET", "1.m4s", f"X-A: {'a' * 20_000}\r\n", 431),
    "too long a target": ("GET", "a" * 9000, "", 414),
}


def fill(box: Box, folder: Path) -> dict[str, bytes]:
    playlist = b"#EXTM3U\n#EXT-X-VERSION:7\n" + b"".join(b"#EXTINF:4,\n%d.m4s\n" % each for each in range(200))
    Image.effect_noise((64, 64), 50).save(folder / "thumb.jpg")
    content = {
        "master.m3u8": playlist,
        "index.mpd": b'<?xml version="1.0"?>\n<MPD xmlns="urn:mpeg:dash:schema:mpd:2011">' + b" " * 900 + b"</MPD>\n",
        "init.mp4": INIT,
        "1.m4s": SEGMENT,
        "a.m4a": INIT,
        "sub.vtt": b"WEBVTT\n\n" + b"00:01.000 --> 00:02.000\nA line.\n\n" * 40,
        "thumb.jpg": (folder / "thumb.jpg").read_bytes(),
    }
    for name, data in {**content, "empty.vtt": b""}.items():
        (folder / name).write_bytes(data)
    loaded = box.run(
        *("store", "import", str(folder), "--asset", "film/all", "--mount", "/film", "--config", str(box.config))
    )
    assert loaded.returncode == 0, loaded.stderr
    return content


def kind(name: str) -> str:
    return name.rpartition(".")[2]


def redbot(url: str) -> list[dict[str, Any]]:
    """Each note of REDbot's on ``url``, those beneath others too."""
    ran = subprocess.run(
        [sys.executable, "-m", "redbot.cli", "-o", "har", url],
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        check=True,
    )
    (entry,) = json.loads(ran.stdout)["log"]["entries"]
    found, left = [], list(entry["_red_messages"])
    while left:
        note = left.pop()
        found.append(note)
        left += note.get("subnotes", [])
    return found


def test_redbot_finds_nothing_wrong(box: Box, tmp_path: Path) -> None:
    folder = tmp_path / "film"
    folder.mkdir()
    content = fill(box, folder)
    passed: Counter[str] = Counter()
    with box.serving():
        for name in content:
            notes = redbot(f"http://{HOST}:{box.delivery}/film/{name}")
            wrong = [
                f"{note['level']} {note['note_id']}: {note['summary']}"
                for note in notes
                if note["level"] in ("BAD", "WARN") and (note["note_id"], kind(name)) not in EXPLAINED
            ]
            assert not wrong, f"{name}: {wrong}"
            good = {note["note_id"] for note in notes if note["level"] == "GOOD"}
            assert good >= PASSES, f"{name}: not found good: {PASSES - good}"
            passed.update(good)
    print(f"REDbot: {sum(passed.values())} checks good, none bad: {dict(passed)}")


def lint(address: Address, method: str, name: str, lines: str) -> tuple[int, list[tuple[str, str, str]]]:
    """The status of an answer, and httplint's notes on it: what, how bad, in words."""
    fields = f"Host: a\r\nConnection: close\r\n{lines}"
    data = exchange(address, f"{method} /film/{name} HTTP/1.1\r\n{fields}\r\n".encode())
    head, _, body = data.partition(b"\r\n\r\n")
    first, *rest = head.split(b"\r\n")
    version, status, phrase = first.split(b" ", 2)
    asked = HttpRequestLinter(start_time=time.time())
    asked.process_request_topline(method.encode(), f"http://a/film/{name}".encode(), b"1.1")
    asked.process_headers([_pair(line) for line in fields.encode().split(b"\r\n") if line])
    asked.finish_content(complete=True)
    answered = HttpResponseLinter(start_time=time.time(), no_content=method == "HEAD")
    answered.request = asked
    answered.process_response_topline(version.removeprefix(b"HTTP/"), status, phrase)
    answered.process_headers([_pair(line) for line in rest])
    answered.feed_content(body)
    answered.finish_content(complete=True)
    return int(status), [(type(note).__name__, note.level.name, str(note.summary)) for note in answered.notes]


def _pair(line: bytes) -> tuple[bytes, bytes]:
    name, _, value = line.partition(b":")
    return name, value.strip()


def test_httplint_finds_no_answer_wrong(box: Box, tmp_path: Path) -> None:
    folder = tmp_path / "film"
    folder.mkdir()
    fill(box, folder)
    with box.serving():
        address = (HOST, box.delivery)
        head = exchange(address, b"HEAD /film/1.m4s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").decode()
        etag = head.partition("ETag: ")[2].partition("\r\n")[0]
        wrong: list[tuple[str, ...]] = []
        for what, (method, name, lines, status) in REQUESTS.items():
            seen, notes = lint(address, method, name, lines.replace("{etag}", etag))
            assert seen == status, what
            wrong = [
                note
                for note in notes
                if note[1] in ("BAD", "WARN")
                and (note[0], what) not in EXPLAINED
                and (note[0], kind(name)) not in EXPLAINED
            ]
    assert not wrong, wrong
    print(f"httplint: {len(REQUESTS)} answers, none with an error")
