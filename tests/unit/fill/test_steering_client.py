from __future__ import annotations

from pathlib import Path

import aiohttp
import msgspec
import pytest
from aiohttp import web
from structlog.testing import capture_logs

from fill.steering_client import SteeringClient, SteeringRefusalError
from fill.tracker import FillTracker
from oca.common.box import SteeringTable
from oca.common.errors import SteeringError
from oca.common.identity import Credentials
from oca.common.messages import Problem

from .conftest import SteeringDouble, make_files, make_manifest

MANIFEST = make_manifest("t/a", make_files("t/a", [10]), [])


def client(session: aiohttp.ClientSession, steering: SteeringDouble, *, token_file: str = "") -> SteeringClient:
    credentials = Credentials(SteeringTable(token_file=token_file, identity_file=""), "fra1-a")
    return SteeringClient(session, [steering.url + "/"], appliance="fra1-a", credentials=credentials)


async def test_client_gets_plan_and_manifest(
    session: aiohttp.ClientSession, steering: SteeringDouble, tmp_path: Path
) -> None:
    plan = steering.offer(MANIFEST)
    (tmp_path / "token").write_text("0123456789abcdef")
    asker = client(session, steering, token_file=str(tmp_path / "token"))
    assert await asker.plan() == plan
    assert await asker.manifest("t/a") == MANIFEST
    assert steering.tokens == ["Bearer 0123456789abcdef"]


def refusal(status: int, **fields: str) -> web.Response:
    return web.Response(status=status, body=msgspec.json.encode(Problem(title="No", status=status, **fields)))


@pytest.mark.parametrize(
    ("answer", "says", "remedy"),
    [
        (refusal(403, detail="who are you"), "answers 403 to fill-plan: No: who are you", "knows appliance fra1-a"),
        (refusal(404), "answers 404 to fill-plan: No", "check steering.url"),
        (web.Response(status=302, headers={"Location": "/x"}), "answers 302 to fill-plan", "check steering.url"),
        (web.Response(body=b"<html>"), "not as agreed: JSON is malformed", "versions that fit"),
        (web.Response(body=b'{"plan":"x"}'), "not as agreed", "versions that fit"),
    ],
)
async def test_client_names_refusal_and_remedy(
    session: aiohttp.ClientSession, steering: SteeringDouble, *, answer: web.Response, says: str, remedy: str
) -> None:
    steering.answer = lambda _: answer
    with pytest.raises(SteeringRefusalError) as caught:
        await client(session, steering).plan()
    assert says in caught.value.message
    assert remedy in caught.value.remedy


async def test_client_takes_server_error_for_passing(session: aiohttp.ClientSession, steering: SteeringDouble) -> None:
    steering.answer = lambda _: refusal(500, remedy="wait")
    with pytest.raises(SteeringError) as caught:
        await client(session, steering).plan()
    assert not isinstance(caught.value, SteeringRefusalError)
    assert caught.value.remedy == "wait"


async def test_client_says_when_steering_is_away(session: aiohttp.ClientSession, steering: SteeringDouble) -> None:
    asker = client(session, steering)
    await steering.close()
    with pytest.raises(SteeringError, match="cannot be reached") as caught:
        await asker.plan()
    assert not isinstance(caught.value, SteeringRefusalError)


async def test_client_refuses_plan_and_manifest_of_others(
    session: aiohttp.ClientSession, steering: SteeringDouble
) -> None:
    steering.plan = msgspec.structs.replace(steering.offer(MANIFEST), appliance="fra1-b")
    steering.manifests["t/b"] = MANIFEST
    with pytest.raises(SteeringRefusalError, match="plan of fra1-b to fra1-a"):
        await client(session, steering).plan()
    with pytest.raises(SteeringRefusalError, match="manifest of t/a for t/b"):
        await client(session, steering).manifest("t/b")


async def test_client_refuses_answer_beyond_limit(
    session: aiohttp.ClientSession, steering: SteeringDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fill.steering_client.ANSWER_BYTES_MAX", 50)
    steering.offer(MANIFEST)
    with pytest.raises(SteeringRefusalError, match="larger than 50 bytes"):
        await client(session, steering).plan()


async def test_client_tells_progress_and_logs_each_change_once(
    session: aiohttp.ClientSession, steering: SteeringDouble
) -> None:
    progress = FillTracker("fra1-a", started_at_ns=1).snapshot(2)
    asker = client(session, steering)
    with capture_logs() as lines:
        await asker.report(progress)
        steering.answer = lambda _: web.Response(status=500)
        await asker.report(progress)
        await asker.report(progress)
        steering.answer = lambda _: None
        await asker.report(progress)
        await steering.close()
        await asker.report(progress)
    assert steering.progress == [progress] * 4
    assert [line["event"] for line in lines] == [
        "steering does not take progress; the fill goes on",
        "steering takes progress again",
        "steering does not take progress; the fill goes on",
    ]


async def test_client_asks_another_instance_where_one_is_away(
    session: aiohttp.ClientSession, steering: SteeringDouble
) -> None:
    offered = steering.offer(MANIFEST)
    credentials = Credentials(SteeringTable(identity_file=""), "fra1-a")
    urls = ["http://127.0.102.99:9", steering.url]
    asking = SteeringClient(session, urls, appliance="fra1-a", credentials=credentials)
    assert await asking.plan() == offered
    assert await asking.manifest("t/a") == MANIFEST
    await steering.close()
    with pytest.raises(SteeringError, match="cannot be reached"):
        await asking.plan()
