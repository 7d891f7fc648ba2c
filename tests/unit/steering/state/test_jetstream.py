from __future__ import annotations

import weakref
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar

import pytest
from nats.errors import Error

from steering.state import jetstream
from steering.state.jetstream import FAULTS_KEPT, EngineAwayError, Session

NOBODY: dict[str, Any] = {"name": "test", "tls": None, "user": "", "password": "", "token": ""}


class Client:
    """In the place of the library's: the connection stands at once, or is refused."""

    refusal: Error | None = None
    tell: ClassVar[list[Callable[[Exception], Awaitable[None]]]] = []
    """Whom it tells of faults, the latest last."""

    async def connect(self, _servers: list[str], *, error_cb: Callable[[Exception], Awaitable[None]], **_: Any) -> None:
        self.tell.append(error_cb)
        if self.refusal is not None:
            await error_cb(self.refusal)
            raise Error("no servers")

    async def close(self) -> None: ...


async def test_session_keeps_few_of_the_faults_of_a_connection_that_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jetstream, "Client", Client)
    session = await Session.open("nats://127.0.0.1", **NOBODY)
    alive: weakref.WeakSet[Error] = weakref.WeakSet()
    for number in range(100):
        error = Error(f"slow consumer {number}")
        alive.add(error)
        await Client.tell[-1](error)
    del error
    assert len(alive) <= FAULTS_KEPT
    await session.close()


async def test_session_tells_what_the_server_said_of_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jetstream, "Client", Client)
    monkeypatch.setattr(Client, "refusal", Error("nats: 'Authorization Violation'"))
    with pytest.raises(EngineAwayError, match="refuses the credentials"):
        await Session.open("nats://127.0.0.1", **NOBODY)
