from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from msgspec.structs import replace

from oca.common.errors import SteeringError
from steering.api.messages import Explanation
from steering.commands.ask import ask_explanation
from steering.state.embedded import EmbeddedState
from steering.trust.settings import OperatorsTable
from steering.trust.users import Login, open_login, put_user
from tests.unit.steering.api_client import Steering
from tests.unit.steering.made_up import make_settings


async def ask(port: int | None, title: str = "harbour", client: str = "") -> Explanation:
    api = replace(make_settings().api, listen=f"127.0.0.1:{port}")
    return await asyncio.to_thread(ask_explanation, api, title=title, client=client)


async def test_client_brings_explanation(steering: Steering, package: Path) -> None:
    steering.publish(package)
    answer = await ask(steering.client.port, client="198.51.100.7")
    assert (answer.title, answer.client, answer.pathways[0].pathway) == ("harbour", "198.51.100.7", "origin")


async def test_client_tells_why_it_was_refused(steering: Steering) -> None:
    with pytest.raises(SteeringError, match=r"404: No such title; GET /v1/titles lists them"):
        await ask(steering.client.port)


async def test_client_tells_other_servers_apart() -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(text="hello")

    app = web.Application()
    app.router.add_get("/v1/explain", answer)
    async with TestServer(app) as server:
        with pytest.raises(SteeringError, match="is not steering"):
            await ask(server.port)


async def test_client_shows_the_operators_token(
    state: EmbeddedState, package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Steering(state, make_settings(operators=OperatorsTable(login="always"))) as steering:
        steering.publish(package)
        with pytest.raises(SteeringError, match=r"401: Log in, or show a token.* into OCASTEERING_TOKEN"):
            await ask(steering.client.port)
        for odd in ("a\nsecret", "gehéim"):
            monkeypatch.setenv("OCASTEERING_TOKEN", odd)
            with pytest.raises(SteeringError, match=r"^OCASTEERING_TOKEN in the environment is no token; put one"):
                await ask(steering.client.port)
        login = Login(user="anna", kind="token", label="x", made_at_ns=0, ends_at_ns=2**62)
        with state.write() as transaction:
            put_user(transaction, "anna", "read", "four words put together", "salt", now_ns=0)
            open_login(transaction, "a secret", login)
        monkeypatch.setenv("OCASTEERING_TOKEN", "a secret")
        assert (await ask(steering.client.port)).title == "harbour"
