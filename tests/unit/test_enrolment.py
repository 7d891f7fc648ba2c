"""A box against a whole steering service."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from msgspec.structs import replace

from oca import enrolment
from oca.common.box import ApplianceTable, SteeringTable
from oca.common.clock import now_ns
from oca.common.enrolment import Enrolled
from oca.common.errors import ConfigError, SteeringError
from oca.common.identity import Credentials, Identity, read_identity
from steering.state.embedded import EmbeddedState
from steering.trust.identities import record_of, revoke
from tests.unit.steering.api_client import JSON, Steering
from tests.unit.steering.made_up import make_report, make_settings
from tests.unit.steering.trust.box import make_token

BOX = ApplianceTable(id="metro-a", site="metro")


@pytest.fixture
async def steering(tmp_path: Path) -> AsyncIterator[Steering]:
    state = EmbeddedState.open(tmp_path / "state", bytes_max=2**26)
    async with Steering(state, make_settings()) as running:
        yield running
    state.close()


@pytest.fixture
def table(steering: Steering, tmp_path: Path) -> SteeringTable:
    return SteeringTable(url=str(steering.client.make_url("/")), identity_file=str(tmp_path / "box" / "identity.json"))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path) -> Path:
    (tmp_path / "box").mkdir()
    return tmp_path / "box"


async def run(work: Callable[..., Enrolled], *arguments: object) -> Enrolled:
    return await asyncio.to_thread(work, *arguments)


async def accepted(steering: Steering, table: SteeringTable) -> bool:
    """Whether steering takes a report that the box signs as the reporter does."""
    body = msgspec.json.encode(make_report(sequence=now_ns() % 10**12))
    path = "/v1/appliances/metro-a/report"
    headers = JSON | Credentials(table, "metro-a").headers("POST", path, body)
    async with steering.client.post(path, data=body, headers=headers) as response:
        return response.status == 200


async def test_box_enrols_and_reports(steering: Steering, table: SteeringTable, folder: Path) -> None:
    answer = await run(enrolment.enrol, BOX, table, make_token(steering.state, "metro-a"))
    assert (answer.appliance, answer.site) == ("metro-a", "metro")
    identity = read_identity(table.identity_file, appliance="metro-a")
    assert identity is not None
    assert identity.keyid == answer.keyid
    assert read_identity(f"{table.identity_file}.pending", appliance="metro-a") is None
    assert (folder / "identity.json").stat().st_mode & 0o777 == 0o600
    assert await accepted(steering, table)


async def test_box_renews_its_key(steering: Steering, table: SteeringTable) -> None:
    first = await run(enrolment.enrol, BOX, table, make_token(steering.state, "metro-a"))
    second = await run(enrolment.renew, BOX, table)
    assert first.keyid != second.keyid
    assert await accepted(steering, table)


async def test_box_enrols_after_its_answer_was_lost(
    steering: Steering, table: SteeringTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = make_token(steering.state, "metro-a")

    def lose(*_: object) -> None:
        raise SteeringError("the line went dead", remedy="again")

    with monkeypatch.context() as patch:
        patch.setattr(enrolment, "_keep", lose)
        with pytest.raises(SteeringError, match="went dead"):
            await run(enrolment.enrol, BOX, table, token)
    taken = record_of(steering.state, "metro-a")
    answer = await run(enrolment.enrol, BOX, table, token)
    assert taken is not None
    assert answer.keyid == taken.keys[-1].keyid
    assert await accepted(steering, table)


async def test_box_renews_after_its_answer_was_lost(
    steering: Steering, table: SteeringTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    await run(enrolment.enrol, BOX, table, make_token(steering.state, "metro-a"))
    with monkeypatch.context() as patch:
        patch.setattr(enrolment, "_keep", lambda *_: None)
        lost = await run(enrolment.renew, BOX, table)
    assert await accepted(steering, table)
    assert (await run(enrolment.renew, BOX, table)).keyid == lost.keyid
    assert await accepted(steering, table)


@pytest.mark.parametrize(
    ("token", "says"),
    [
        ("nonsense", "--token: is no enrolment token"),
        ("metro-b." + "x" * 43, "--token: is for metro-b, and this box is metro-a"),
    ],
)
def test_token_that_cannot_be_right_is_not_sent(tmp_path: Path, token: str, says: str) -> None:
    table = SteeringTable(url="http://127.0.78.1:1", identity_file=str(tmp_path / "identity.json"))
    with pytest.raises(ConfigError, match=says) as caught:
        enrolment.enrol(BOX, table, token)
    assert token not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"url": ""}, "steering.url is empty"),
        ({"identity_file": ""}, "steering.identity_file is empty"),
        ({"identity_file": "/nowhere/identity.json"}, "'/nowhere/identity.json.pending' cannot be written: no such"),
    ],
)
def test_settings_that_allow_no_enrolment_are_named(tmp_path: Path, changes: dict[str, str], says: str) -> None:
    table = replace(SteeringTable(url="http://127.0.78.1:1", identity_file=str(tmp_path / "i")), **changes)
    with pytest.raises(ConfigError, match=says):
        enrolment.enrol(BOX, table, "metro-a." + "x" * 43)


def test_box_that_is_not_enrolled_cannot_renew(tmp_path: Path) -> None:
    table = SteeringTable(url="http://127.0.78.1:1", identity_file=str(tmp_path / "identity.json"))
    with pytest.raises(ConfigError, match="this box is not enrolled"):
        enrolment.renew(BOX, table)


async def test_refusal_is_told_as_steering_words_it(steering: Steering, table: SteeringTable) -> None:
    with pytest.raises(SteeringError, match="answers 403: There is no such enrolment token") as caught:
        await run(enrolment.enrol, BOX, table, "metro-a." + "x" * 43)
    assert "enrol create --appliance metro-a" in caught.value.remedy
    with pytest.raises(SteeringError, match=r"has metro-a in site metro, and appliance\.site is elsewhere"):
        await run(enrolment.enrol, replace(BOX, site="elsewhere"), table, make_token(steering.state, "metro-a"))


async def test_revoked_box_is_told_so(steering: Steering, table: SteeringTable) -> None:
    await run(enrolment.enrol, BOX, table, make_token(steering.state, "metro-a"))
    with steering.state.write() as transaction:
        revoke(transaction, "metro-a", now_ns=now_ns())
    with pytest.raises(SteeringError, match="The identity of metro-a was revoked at 2"):
        await run(enrolment.renew, BOX, table)


def test_steering_that_is_away_is_named(tmp_path: Path) -> None:
    table = SteeringTable(url="http://127.0.78.1:1", identity_file=str(tmp_path / "identity.json"))
    with pytest.raises(SteeringError, match=r"http://127\.0\.78\.1:1/v1/appliances/metro-a/enrol: Connection refused"):
        enrolment.enrol(BOX, table, "metro-a." + "x" * 43)


async def test_answer_that_is_none_of_steering_is_refused(tmp_path: Path) -> None:
    async def hello(request: web.Request) -> web.Response:
        return web.Response(text="<html>")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", hello)
    async with TestServer(app) as server:
        table = SteeringTable(url=str(server.make_url("/")), identity_file=str(tmp_path / "identity.json"))
        with pytest.raises(SteeringError, match="the answer is not as agreed"):
            await run(enrolment.enrol, BOX, table, "metro-a." + "x" * 43)
    assert read_identity(table.identity_file, appliance="metro-a") is None


async def test_pending_key_of_another_box_is_replaced(steering: Steering, table: SteeringTable, folder: Path) -> None:
    """A disk that was cloned in the middle of an enrolment."""
    stale = Identity(appliance="metro-b", keyid="x", private="A" * 43)
    (folder / "identity.json.pending").write_bytes(msgspec.json.encode(stale))
    answer = await run(enrolment.enrol, BOX, table, make_token(steering.state, "metro-a"))
    assert answer.keyid != "x"
