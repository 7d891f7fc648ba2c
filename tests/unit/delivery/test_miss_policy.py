import re
from typing import Any

import pytest

from oca.delivery.miss_policy import LOOP_NAMES_MAX, Answered, MissPolicy, extend_loop, is_object_path
from oca.delivery.miss_settings import MissTable
from oca.http1.request import Fields, Request
from oca.http1.response import Reply

FALLBACK = "https://next.example/media"


class Policy:
    """What it answers; whether that sends the viewer on must be said of all that does."""

    def __init__(self, **settings: Any) -> None:
        self._policy = MissPolicy(MissTable(**settings), appliance="fra1-a")

    def reply(self, request: Request, missed: Any, *, counted: bool) -> Reply:
        return checked(self._policy.reply(request, missed, counted=counted))

    def turned_away(self, request: Request, turn: Any, *, counted: bool = True) -> Reply:
        return checked(self._policy.turned_away(request, turn, counted=counted, retry_after_s=7))


def checked(answered: Answered) -> Reply:
    assert answered.sent_on is (location(answered.reply) is not None)
    return answered.reply


policy = Policy


def asked(target: str = "/film/1.m4s", *, method: Any = "GET", fill: bool = False, persistent: bool = True) -> Request:
    path, _, query = target.encode().partition(b"?")
    return Request(method, path, Fields(fill=fill), persistent, 1, query)


def location(reply: Reply) -> str | None:
    found = re.search(rb"^Location: (.*)\r$", reply.head, re.MULTILINE)
    return found[1].decode() if found else None


@pytest.mark.parametrize(
    ("path", "fits"),
    [
        (b"/film/1.m4s", True),
        (b"/t/" + b"x" * 900 + b"/film/a,b;c=1@2:3.m4s", True),
        (b"/film/../secret", False),
        (b"/film/.hidden", False),
        (b"//other.example/film", False),
        (b"/film/", False),
        (b"/", False),
        (b"*", False),
        (b"/film/a b", False),
        (b"/film/a\r\nSet-Cookie: x", False),
        (b"/film/\xff", False),
        (b"/film/a%2fb", False),
        (b"/film/a?b", False),
    ],
)
def test_policy_knows_path_of_object(path: bytes, *, fits: bool) -> None:
    assert is_object_path(path) is fits


def test_policy_answers_not_found_by_default() -> None:
    reply = policy().reply(asked(), "content", counted=True)
    assert (reply.status, reply.close, location(reply)) == (404, False, None)
    assert b"Cache-Status:" not in reply.head
    assert b"Cache-Control: no-store" in reply.head
    assert b"Access-Control-Allow-Origin: *" in reply.head


@pytest.mark.parametrize(
    ("missed", "detail"), [("content", b"not-held"), ("health", b"device-fails"), ("authorisation", b"not-authorised")]
)
def test_policy_tells_why_where_debug_is_set(missed: Any, detail: bytes) -> None:
    assert (
        b"Cache-Status: fra1-a;detail=" + detail + b"\r\n"
        in policy(debug=True).reply(asked(), missed, counted=True).head
    )


@pytest.mark.parametrize("status", [302, 307])
def test_policy_redirects_to_path_and_query_at_fallback(status: Any) -> None:
    redirecting = policy(policy="redirect", fallback_url=FALLBACK + "/", redirect_status=status)
    reply = redirecting.reply(asked("/film/1.m4s?CMCD=bl%3D3&x"), "health", counted=True)
    assert reply.status == status
    assert location(reply) == f"{FALLBACK}/film/1.m4s?CMCD=bl%3D3&x&oca-redirected"
    assert location(redirecting.reply(asked(), "content", counted=True)) == f"{FALLBACK}/film/1.m4s?oca-redirected"
    assert not reply.text
    assert not reply.length


@pytest.mark.parametrize(
    "marker", ["oca-redirected", "oca-redirected=", "oca-redirected-uncounted", "oca-redirected-uncounted="]
)
def test_policy_redirects_no_request_twice(marker: str) -> None:
    redirecting = policy(policy="redirect", fallback_url=FALLBACK)
    uncounted = redirecting.reply(asked(), "health", counted=False)
    assert location(uncounted) == f"{FALLBACK}/film/1.m4s?oca-redirected-uncounted"
    again = asked(f"/film/1.m4s?x=1&{marker}&y")
    assert redirecting.reply(again, "content", counted=True).status == 404
    assert redirecting.turned_away(again, "redirect").status == 429
    # A value that only holds the marker's letters is somebody else's.
    assert redirecting.reply(asked("/film/1.m4s?x=oca-redirected"), "content", counted=True).status == 302
    unmarked = policy(policy="redirect", fallback_url=FALLBACK, redirect_marker="")
    assert (
        location(unmarked.reply(asked("/film/1.m4s?sig=a"), "content", counted=True)) == f"{FALLBACK}/film/1.m4s?sig=a"
    )
    assert location(unmarked.reply(asked(), "content", counted=True)) == f"{FALLBACK}/film/1.m4s"


def test_policy_tells_fill_agent_and_impossible_path_the_truth() -> None:
    redirecting = policy(policy="redirect", fallback_url=FALLBACK)
    assert redirecting.reply(asked(fill=True), "content", counted=True).status == 404
    assert redirecting.reply(asked("/film/../../admin"), "content", counted=True).status == 404


@pytest.mark.parametrize(("turn", "status"), [("not-found", 404), ("too-many", 429), ("redirect", 302)])
def test_policy_turns_viewer_away_and_closes(turn: Any, status: int) -> None:
    reply = policy(fallback_url=FALLBACK).turned_away(asked(), turn)
    assert (reply.status, reply.close) == (status, True)
    assert b"Connection: close\r\n" in reply.head
    assert (b"Retry-After: 7\r\n" in reply.head) == (status == 429)
    assert location(reply) == (f"{FALLBACK}/film/1.m4s?oca-redirected" if turn == "redirect" else None)
    uncounted = policy(fallback_url=FALLBACK).turned_away(asked(), turn, counted=False)
    assert location(uncounted) == (f"{FALLBACK}/film/1.m4s?oca-redirected-uncounted" if turn == "redirect" else None)


def test_policy_answers_preflight_of_viewer_turned_away() -> None:
    assert policy().turned_away(asked(method="OPTIONS"), "too-many").status == 204


def test_policy_sends_no_text_to_head() -> None:
    assert policy().reply(asked(method="HEAD"), "content", counted=True).text == b""
    assert policy().reply(asked(), "content", counted=True).text
    assert policy().reply(asked(persistent=False), "content", counted=True).close
    redirecting = policy(policy="redirect", fallback_url=FALLBACK)
    assert redirecting.reply(asked(persistent=False), "content", counted=True).close


@pytest.mark.parametrize(
    ("chain", "extended"),
    [
        (None, "oca-a"),
        (b"oca-b", "oca-b, oca-a"),
        (b"other;v=1,  oca-b", "other, oca-b, oca-a"),
        (b"oca-b, oca-a;x", ""),
        (b"oca-ab", "oca-ab, oca-a"),
        (b'"quo ted", b', "b, oca-a"),
        (b", ".join([b"x"] * LOOP_NAMES_MAX), ""),
        (b"b\x80", ""),
    ],
)
def test_policy_extends_loop_field_once(chain: bytes | None, extended: str) -> None:
    assert extend_loop(chain, "oca-a") == extended
