import json
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oca.delivery.access_lines import (
    PATH_CHARACTERS_MAX,
    Line,
    clock_time,
    combined_lines,
    json_lines,
    session_of,
    shown_path,
)

AT = "2026-11-25T21:51:36.025Z"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJhIn0.c2lnbmF0dXJl"
HIT = Line(AT, "192.0.2.0", "GET", "/film/1.m4s", 200, 1000, 40, 90, "hit", referrer="https://a.example", agent="VLC/3")
UNREAD = Line(AT, "192.0.2.0", "", "", 400, 0, 20, 20)


def test_json_lines_leave_out_what_is_empty() -> None:
    first, second = map(json.loads, json_lines([HIT, UNREAD]).splitlines())
    assert first == {
        "time": AT,
        "client": "192.0.2.0",
        "method": "GET",
        "path": "/film/1.m4s",
        "status": 200,
        "bytes": 1000,
        "first_byte_us": 40,
        "duration_us": 90,
        "cache": "hit",
        "referrer": "https://a.example",
        "agent": "VLC/3",
    }
    assert second["status"] == 400
    assert "agent" not in second


def test_combined_lines_are_as_other_servers_write_them() -> None:
    assert combined_lines([HIT, UNREAD]).decode().splitlines() == [
        '192.0.2.0 - - [25/Nov/2026:21:51:36 +0000] "GET /film/1.m4s HTTP/1.1" 200 1000 "https://a.example" "VLC/3"',
        '192.0.2.0 - - [25/Nov/2026:21:51:36 +0000] "-" 400 0 "-" "-"',
    ]


def test_combined_line_shows_hidden_client_as_dash() -> None:
    assert combined_lines([Line(AT, "", "GET", "/a", 200, 0, 0, 0)]).startswith(b"- - - [")


@pytest.mark.parametrize("month", range(1, 13))
def test_clock_time_names_every_month(month: int) -> None:
    name = "JanFebMarAprMayJunJulAugSepOctNovDec"[3 * month - 3 : 3 * month]
    assert clock_time(f"2026-{month:02}-01T00:00:00.000Z") == f"01/{name}/2026:00:00:00 +0000"


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        (b"/film/a-1_2.m4s", "/film/a-1_2.m4s"),
        (b"/a b", "/a%20b"),
        (b'/"\r\n\x00', "/%22%0D%0A%00"),
        (b"/%41", "/%2541"),
        ("/ä".encode(), "/%C3%A4"),
        (b"*", "*"),
        (b"/" + b"a" * 3000, "/" + "a" * (PATH_CHARACTERS_MAX - 1) + "..."),
        (f"/t/{JWT}/film/1.m4s".encode(), "/t/TOKEN/film/1.m4s"),
        (f"/film/1.m4s;URISigningPackage={JWT}".encode(), "/film/1.m4s;URISigningPackage=TOKEN"),
        (b"/eyJ", "/eyJ"),
    ],
)
def test_shown_path_is_one_word_without_tokens(path: bytes, shown: str) -> None:
    assert shown_path(path) == shown


@pytest.mark.parametrize(
    ("query", "cmcd", "session"),
    [
        (
            b"CMCD=bl%3D21300%2Csid%3D%226e2fb550-c457-11e9-bb97-0800200c9a66%22",
            b"",
            "6e2fb550-c457-11e9-bb97-0800200c9a66",
        ),
        (b"a=b&CMCD=sid%3d%22abc%22%2cot%3Dv", b"", "abc"),
        (b"", b'bl=1,sid="abc",su', "abc"),
        (b"", b'sid="abc"', "abc"),
        (b"sid=abc", b"", ""),
        (b"CMCD=cid%3D%22abc%22", b"", ""),
        (b"CMCD=sid%3D%22a%0D%0Ab%22", b"", ""),
        (b"", b"bl=1", ""),
        (b"", b"", ""),
    ],
)
def test_session_of_reads_plain_cmcd_session_alone(query: bytes, cmcd: bytes, session: str) -> None:
    assert session_of(query, cmcd) == session


@given(st.binary(max_size=60), st.text(alphabet=[chr(number) for number in range(256)], max_size=60))
def test_lines_hold_whatever_clients_send_in_one_line(path: bytes, agent: str) -> None:
    line = Line(AT, "192.0.2.0", "GET", shown_path(path), 404, 0, 1, 1, "miss", agent=agent)
    (told,) = json_lines([line]).splitlines()
    assert json.loads(told).get("agent", "") == agent
    text = combined_lines([line]).decode()
    assert text.count("\n") == 1
    assert set(text) <= set(string.printable)
    assert text.count('"') == 6
