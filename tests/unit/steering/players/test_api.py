from __future__ import annotations

import asyncio
import gzip
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import m3u8
import pytest
from defusedxml.ElementTree import fromstring
from msgspec.structs import replace as struct_replace
from yarl import URL

import steering.decision.decider as decider_module
from oca.common.clock import now_ns
from oca.common.messages import Health
from steering.settings import OriginTable
from steering.trust.roles import Role
from steering.trust.users import Login, open_login, put_user
from tests.unit.steering.api_client import TITLE, Steering
from tests.unit.steering.made_up import ORIGIN, make_contents, make_report, make_settings, make_site
from tests.waiting import WAIT_S

ELSEWHERE = "198.51.100.7"


@pytest.fixture
async def fleet(steering: Steering, package: Path) -> Steering:
    """A title that all three appliances hold."""
    held = steering.publish(package)
    for name, site in (("metro-a", "metro"), ("metro-b", "metro"), ("region-a", "region")):
        await steering.report(make_report(name, site, contents=make_contents(held)))
    return steering


def ways(answer: Any) -> list[str]:
    return [pathway["pathway"] for pathway in answer["pathways"]]


async def test_playback_offers_own_network_first(fleet: Steering) -> None:
    status, answer = await fleet.playback()
    assert status == 200
    assert set(ways(answer)[:2]) == {"metro-a", "metro-b"}
    assert ways(answer)[2:] == ["region-a", "origin"]
    assert (answer["client"], answer["client_from"], answer["site"]) == ("127.0.0.1", "connection", "metro")


async def test_playback_for_named_client_carries_it_on(fleet: Steering) -> None:
    _, answer = await fleet.playback(client=ELSEWHERE)
    assert ways(answer) == ["region-a", "origin"]
    assert answer["hls_url"].endswith(f"?client={ELSEWHERE}")
    async with fleet.client.get(URL(answer["hls_url"]).relative()) as response:
        text = await response.text()
    assert f"client={ELSEWHERE}" in text
    assert "metro" not in text


async def test_strangers_cannot_name_a_client(state: Any, package: Path) -> None:
    closed = make_settings()
    closed = struct_replace(closed, api=struct_replace(closed.api, trusted_proxies=()))
    async with Steering(state, closed) as steering:
        steering.publish(package)
        _, answer = await steering.playback(client=ELSEWHERE)
        assert (answer["client"], answer["client_from"]) == ("127.0.0.1", "connection")


async def test_viewer_behind_a_trusted_proxy_cannot_name_a_client(fleet: Steering) -> None:
    headers = {"X-Forwarded-For": "203.0.113.9"}
    body = {"title": "harbour", "client": ELSEWHERE}
    async with fleet.client.post("/v1/playback", json=body, headers=headers) as response:
        answer = await response.json()
    assert (answer["client"], answer["client_from"]) == ("203.0.113.9", "forwarded")


def operator(fleet: Steering, role: Role, secret: str = "a secret") -> dict[str, str]:
    """What a user of that role shows."""
    login = Login(user="anna", kind="token", label="x", made_at_ns=0, ends_at_ns=2**62)
    with fleet.state.write() as transaction:
        put_user(transaction, "anna", role, "four words put together", "salt", now_ns=0)
        open_login(transaction, secret, login)
    return {"Authorization": f"Bearer {secret}"}


VIEWER = {"X-Forwarded-For": "203.0.113.9"}
"""Not from this machine, and through a proxy that is believed to tell so."""


async def test_service_with_a_token_names_clients_from_anywhere(fleet: Steering) -> None:
    headers = VIEWER | operator(fleet, "read")
    body = {"title": "harbour", "client": "198.51.100.0/24"}
    async with fleet.client.post("/v1/playback", json=body, headers=headers) as response:
        answer = await response.json()
    assert (answer["client"], answer["client_from"]) == ("198.51.100.0/24", "service")
    assert answer["hls_url"].endswith("/master.m3u8"), "its viewers ask from their own addresses"
    explained = await fleet.get(f"/v1/explain?title=harbour&client={ELSEWHERE}", headers=headers)
    assert (explained["client"], explained["client_from"]) == (ELSEWHERE, "service")


async def test_token_that_is_none_is_refused_where_it_would_count(fleet: Steering) -> None:
    headers = VIEWER | {"Authorization": "Bearer none"}
    for body, wanted in (({"title": "harbour", "client": ELSEWHERE}, 401), ({"title": "harbour"}, 200)):
        async with fleet.client.post("/v1/playback", json=body, headers=headers) as response:
            assert response.status == wanted
    answer = await fleet.get(f"/steer/hls?title=harbour&pathways=metro-a,origin&client={ELSEWHERE}", headers=headers)
    assert answer["PATHWAY-PRIORITY"] == ["origin", "metro-a"], "steering is never refused"


async def test_subnet_is_in_no_prefix_longer_than_itself(state: Any, package: Path) -> None:
    metro = make_site("metro", appliances=("metro-a",), prefixes=("198.51.100.0/25",))
    wide = make_site("wide", appliances=("wide-a",), prefixes=("198.51.0.0/16",))
    async with Steering(state, make_settings(site=(metro, wide))) as steering:
        steering.publish(package)
        for client, site in ((ELSEWHERE, "metro"), ("198.51.100.0/25", "metro"), ("198.51.100.0/24", "wide")):
            assert (await steering.playback(client=client))[1]["site"] == site


async def test_batch_gives_each_request_its_own_answer_or_problem(fleet: Steering) -> None:
    requests = [{"title": "harbour", "client": ELSEWHERE}, {"title": "none"}, {"title": 5}, 7, {"title": "harbour"}] * 5
    async with fleet.client.post("/v1/playbacks", json={"requests": requests}) as response:
        items = (await response.json())["items"]
    assert [item.get("problem", {}).get("status") for item in items] == [None, 404, 400, 400, None] * 5
    assert [items[2]["problem"]["field"], items[3]["problem"]["field"]] == ["$.title", "$"]
    assert [items[0]["answer"]["client"], items[4]["answer"]["client"]] == [ELSEWHERE, "127.0.0.1"]


async def test_batch_is_for_operators_and_no_change(fleet: Steering) -> None:
    body = {"requests": [{"title": "harbour", "client": ELSEWHERE}]}
    async with fleet.client.post("/v1/playbacks", json=body, headers=VIEWER) as response:
        assert response.status == 401
    async with fleet.client.post("/v1/playbacks", json=body, headers=VIEWER | operator(fleet, "read")) as response:
        (item,) = (await response.json())["items"]
    assert (item["answer"]["client"], item["answer"]["client_from"]) == (ELSEWHERE, "service")
    entries = (await fleet.get("/v1/operators/audit"))["entries"]
    assert [entry for entry in entries if "playbacks" in entry["what"]] == []


@pytest.mark.parametrize("requests", [[], [{"title": "harbour"}] * 501, None, {}])
async def test_batch_of_wrong_size_is_refused(fleet: Steering, requests: Any) -> None:
    status, problem = await fleet.problem("POST", "/v1/playbacks", json={"requests": requests})
    assert (status, problem["field"]) == (400, "$.requests")


async def test_playback_answers_for_a_device(fleet: Steering) -> None:
    _, answer = await fleet.playback(device={"codecs": ["avc1", "mp4a"], "protocols": ["hls"]})
    assert (bool(answer["hls_url"]), answer["dash_url"]) == (True, "")
    status, problem = await fleet.playback(device={"codecs": ["hvc1"]})
    assert (status, problem["field"]) == (406, "$.device")
    assert "video-240p: codec avc1.42c015" in problem["detail"]


@pytest.mark.parametrize(
    ("body", "status"),
    [({"title": "none"}, 404), ({}, 400), ({"title": 5}, 400), ({"title": "harbour", "client": "x"}, 400)],
)
async def test_playback_refuses_what_it_cannot_answer(fleet: Steering, body: dict[str, Any], status: int) -> None:
    assert (await fleet.problem("POST", "/v1/playback", json=body))[0] == status


async def test_playback_refuses_huge_body(fleet: Steering) -> None:
    assert (await fleet.problem("POST", "/v1/playback", data=b" " * 70_000))[0] == 413
    bomb = gzip.compress(b" " * 2**26)
    status, problem = await fleet.problem(
        "POST", "/v1/playback", data=bomb, headers={"Content-Encoding": "gzip", "Content-Type": "application/json"}
    )
    assert (len(bomb) < 2**16, status, problem["title"]) == (True, 415, "Compressed bodies are not taken")


async def test_playback_refuses_title_without_rights_or_before_release(fleet: Steering, package: Path) -> None:
    fleet.publish(package, replace(TITLE, regions=("DE",)))
    status, problem = await fleet.problem("POST", "/v1/playback", json={"title": "harbour"})
    assert (status, problem["detail"]) == (403, "no rights in a client region that is not known; granted: DE")
    fleet.publish(package, replace(TITLE, released_at_ns=2**62))
    status, problem = await fleet.problem("GET", "/r/harbour/poster.jpg")
    assert status == 403
    assert "not released before" in problem["detail"]
    assert (await fleet.get("/v1/explain?title=harbour"))["barred"].startswith("not released")
    assert (await fleet.get("/steer/hls?title=harbour&pathways=a,b"))["PATHWAY-PRIORITY"] == ["a", "b"]


@pytest.mark.interpreted("the clock by which titles are released is replaced")
@pytest.mark.parametrize(
    "asked",
    [
        ("POST", "/v1/playback", {"title": "harbour"}),
        ("POST", "/v1/playback", {"title": "harbour", "assets": ["harbour/video-240p"]}),
        ("POST", "/v1/playbacks", {"requests": [{"title": "harbour"}]}),
        ("GET", "/v1/playback/harbour/master.m3u8", None),
        ("GET", "/v1/playback/harbour/manifest.mpd", None),
        ("GET", "/r/harbour/poster.jpg", None),
        ("GET", "/steer/hls?title=harbour&pathways=origin", None),
        ("GET", "/steer/dash?title=harbour&pathways=origin", None),
    ],
)
async def test_nobody_is_told_where_a_title_is_before_its_release(
    fleet: Steering, package: Path, monkeypatch: pytest.MonkeyPatch, asked: tuple[str, str, Any]
) -> None:
    """All boxes hold it already, as they do on the eve; an hour later the same question names them."""
    method, path, body = asked
    at_ns = now_ns() + 3600 * 10**9
    fleet.publish(package, replace(TITLE, released_at_ns=at_ns))

    async def said() -> str:
        async with fleet.client.request(method, path, json=body, allow_redirects=False) as response:
            return f"{response.status} {response.headers.get('Location', '')} {await response.text()}"

    held = ("metro-a", "metro-b", "region-a", ":8080")
    assert not [name for name in held if name in await said()]
    monkeypatch.setattr(decider_module, "now_ns", lambda: at_ns)
    after = await said()
    assert path.startswith("/steer") or [name for name in held if name in after], after


async def test_multivariant_playlist_declares_candidates(fleet: Steering) -> None:
    async with fleet.client.get("/v1/playback/harbour/master.m3u8") as response:
        assert response.content_type == "application/vnd.apple.mpegurl"
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        assert response.headers["Cache-Control"] == "no-store"
        text = await response.text()
    parsed = m3u8.loads(text)
    assert len(parsed.playlists) == 4
    steer = re.search(r'SERVER-URI="([^"]+)"', text)
    assert steer is not None
    answer = await fleet.get(steer[1].partition(str(fleet.client.make_url("")).rstrip("/"))[2])
    assert answer["PATHWAY-PRIORITY"] == [entry.stream_info.pathway_id for entry in parsed.playlists]
    async with fleet.client.get(
        "/v1/playback/harbour/master.m3u8", headers={"User-Agent": "Lavf/62.3.100"}
    ) as response:
        assert len(m3u8.loads(await response.text()).playlists) == 1


async def test_mpd_declares_candidates(fleet: Steering) -> None:
    async with fleet.client.get("/v1/playback/harbour/manifest.mpd") as response:
        assert response.content_type == "application/dash+xml"
        root = fromstring(await response.text())
    bases = root.findall("{*}BaseURL")
    assert [base.get("serviceLocation") for base in bases][2:] == ["region-a", "origin"]
    assert bases[-1].text == f"{ORIGIN}/harbour/"
    assert root.find("{*}ContentSteering").get("defaultServiceLocation") == bases[0].get("serviceLocation")


async def test_title_without_mpd_has_none(fleet: Steering, package: Path) -> None:
    (package / "manifest.mpd").unlink()
    fleet.publish(package)
    assert (await fleet.problem("GET", "/v1/playback/harbour/manifest.mpd"))[0] == 404


@pytest.mark.parametrize("protocol", ["hls", "dash"])
@pytest.mark.parametrize(
    "asked",
    [
        "_HLS_pathway=metro-a&_HLS_throughput=123",
        "_DASH_pathway=%22metro-a,origin%22&_DASH_throughput=293751500,",
        "_DASH_pathway=metro-a&_DASH_throughput=",
        "_HLS_pathway=%FF%00&client=nonsense&TTL=x",
    ],
)
async def test_steering_answers_every_spelling(fleet: Steering, protocol: str, asked: str) -> None:
    await fleet.report(make_report("metro-a", sequence=2, serving="draining"))
    answer = await fleet.get(f"/steer/{protocol}?title=harbour&pathways=metro-a,metro-b,region-a,origin&{asked}")
    assert answer == {
        "VERSION": 1,
        "TTL": 10,
        "PATHWAY-PRIORITY": ["metro-b", "region-a", "metro-a", "origin"],
    }


@pytest.mark.parametrize(
    "query", ["", "?title=none", "?title=harbour&title=x&pathways=%22%3Cscript%3E", "?pathways=" + "a," * 2000]
)
async def test_steering_answers_garbage_with_a_safe_list(fleet: Steering, query: str) -> None:
    answer = await fleet.get(f"/steer/hls{query}")
    assert len(answer["PATHWAY-PRIORITY"]) >= 2


async def test_redirect_goes_to_best_holder(fleet: Steering) -> None:
    for name in ("metro-a", "metro-b"):
        site = make_report(name, sequence=3, health=Health(verdict="failed", reasons=["disk"]))
        await fleet.report(site)
    path = "/r/harbour/seg-0-00001.m4s?client=127.0.0.1&CMCD=br%3D1"
    async with fleet.client.get(path, allow_redirects=False) as response:
        assert response.status == 302
        assert response.headers["Location"] == "http://region-a.example:8080/harbour/seg-0-00001.m4s?CMCD=br%3D1"
        assert response.headers["Access-Control-Allow-Origin"] == "*"
    async with fleet.client.get("/r/harbour/poster.jpg?client=198.51.100.7", allow_redirects=False) as response:
        assert response.headers["Location"] == "http://region-a.example:8080/harbour/poster.jpg"


@pytest.mark.parametrize("path", ["/r/none", "/r/", "/r/..%2f..%2fetc/passwd", "/r/harbour/%00"])
async def test_redirect_knows_published_objects_only(fleet: Steering, path: str) -> None:
    assert (await fleet.problem("GET", path))[0] == 404


async def test_origin_that_is_not_for_players_is_for_fills_alone(state: Any, package: Path) -> None:
    closed = make_settings(origin=OriginTable(url=ORIGIN, for_players=False))
    async with Steering(state, closed) as steering:
        held = steering.publish(package)
        await steering.report(make_report(contents=make_contents(held)))
        _, answer = await steering.playback()
        assert [way["pathway"] for way in answer["pathways"]] == ["metro-a"]
        manifest = await steering.get("/v1/appliances/metro-a/assets/harbour/video-240p")
        assert [source["url"] for source in manifest["sources"]] == [ORIGIN]


async def test_nobody_and_no_origin_is_said_so(state: Any, package: Path) -> None:
    async with Steering(state, make_settings(origin=OriginTable())) as steering:
        held = steering.publish(package)
        status, problem = await steering.problem("GET", "/v1/playback/harbour/master.m3u8")
        assert status == 404
        assert "metro-a: no report yet" in problem["detail"]
        audio = {"harbour/audio-en": held["harbour/audio-en"]}
        await steering.report(make_report(contents=make_contents(audio)))
        assert (await steering.problem("GET", "/r/harbour/poster.jpg"))[0] == 404


async def test_explain_gives_every_loser_its_reason(fleet: Steering) -> None:
    await fleet.report(make_report("metro-b", sequence=2, serving="drained"))
    answer = await fleet.get(f"/v1/explain?title=harbour&client={ELSEWHERE}")
    assert ways(answer) == ["region-a", "origin"]
    assert {lost["pathway"]: lost["why"] for lost in answer["rejected"]} == {
        "metro-a": "embedded in another network than the client's",
        "metro-b": "embedded in another network than the client's",
    }
    fewer = await fleet.get(f"/v1/explain?title=harbour&client={ELSEWHERE}&rejected=1")
    assert (len(fewer["rejected"]), fewer["rejected_count"], answer["rejected_count"]) == (1, 2, 2)
    assert (await fleet.problem("GET", "/v1/explain?title=harbour&rejected=-1"))[1]["field"] == "rejected"
    own = await fleet.get("/v1/explain?title=harbour")
    assert own["rejected"] == [{"pathway": "metro-b", "why": "drained: no new viewers"}]


WITHOUT_HOST = b"GET /v1/playback/harbour/master.m3u8 HTTP/1.1\r\nConnection: close\r\n%b\r\n"


async def raw(steering: Steering, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(steering.client.host, steering.client.port)
    writer.write(request)
    try:
        return await asyncio.wait_for(reader.read(), WAIT_S)
    finally:
        writer.close()


@pytest.mark.parametrize(
    "host",
    [
        b"a\xffb",
        b'a"b',
        b"a/b",
        b"a b",
        b"",
        b"a:b",
        b"a:",
        b"[::1",
        b"user@a",
        b"a:123456",
        b"\xc3\xa9.example",
        b"a" * 254,
    ],
)
async def test_host_that_is_none_is_refused(fleet: Steering, host: bytes) -> None:
    answer = await raw(fleet, WITHOUT_HOST % b"Host: %b\r\n" % host)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"set api.public_url" in answer


async def test_host_that_is_missing_is_refused(fleet: Steering) -> None:
    assert b" 400 " in (await raw(fleet, WITHOUT_HOST % b"")).splitlines()[0]


@pytest.mark.parametrize("host", [b"steering.example", b"192.0.2.1:8090", b"[2001:db8::1]:8090", b"my_box.lan"])
async def test_steering_url_names_the_host_that_was_asked(fleet: Steering, host: bytes) -> None:
    assert b'SERVER-URI="http://%b/steer/hls?' % host in await raw(fleet, WITHOUT_HOST % b"Host: %b\r\n" % host)


async def test_public_url_counts_whatever_the_host(state: Any, package: Path) -> None:
    settings = make_settings()
    settings = struct_replace(settings, api=struct_replace(settings.api, public_url="https://steering.example/"))
    async with Steering(state, settings) as steering:
        steering.publish(package)
        answer = await raw(steering, WITHOUT_HOST % b"Host: a\xffb\r\n")
    assert b'SERVER-URI="https://steering.example/steer/hls?' in answer


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/playback/none/master.m3u8", 404),
        ("GET", "/v1/playback/none/manifest.mpd", 404),
        ("GET", "/v1/explain?title=none", 404),
        ("GET", "/r/none/seg-0-00001.m4s", 404),
        ("GET", "/v1/playback/%00/master.m3u8", 404),
    ],
)
async def test_unknown_title_is_named_as_such(fleet: Steering, method: str, path: str, status: int) -> None:
    found, problem = await fleet.problem(method, path)
    assert found == status
    assert problem["title"] in ("No such title", "No published object has this path")


async def test_mapped_address_is_the_ipv4_viewer_wherever_it_stands(fleet: Steering) -> None:
    _, named = await fleet.playback(client="::ffff:127.0.0.9")
    assert (named["client"], named["site"]) == ("127.0.0.9", "metro")
    headers = {"X-Forwarded-For": "::ffff:127.0.0.9"}
    async with fleet.client.post("/v1/playback", json={"title": "harbour"}, headers=headers) as response:
        forwarded = await response.json()
    assert (forwarded["client"], forwarded["client_from"], forwarded["site"]) == ("127.0.0.9", "forwarded", "metro")


async def test_client_in_no_prefix_is_told_so(fleet: Steering) -> None:
    for client in (ELSEWHERE, "2001:db8::1", "0.0.0.0", "255.255.255.255", "::"):
        _, answer = await fleet.playback(client=client)
        assert (answer["prefix"], answer["site"], ways(answer)) == ("", "", ["region-a", "origin"])
        assert "serves any client, client in no prefix" in answer["pathways"][0]["why"]
        assert answer["pathways"][1]["why"] == "last resort: the origin holds everything"


async def test_steering_keeps_player_where_it_plays(fleet: Steering) -> None:
    for spelled in ("_HLS_pathway=metro-{}", "_DASH_pathway=%22metro-{},origin%22", "_DASH_pathway=metro-{}"):
        for box in "ab":
            query = f"title=harbour&pathways=metro-a,metro-b,region-a,origin&{spelled.format(box)}"
            answer = await fleet.get(f"/steer/hls?{query}")
            assert answer["PATHWAY-PRIORITY"][0] == f"metro-{box}"
