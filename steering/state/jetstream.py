"""The one place that speaks to NATS: a connection to one server, and the few things asked of its streams.

A connection that fails is left for another by ``link``; nothing here tries again.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Awaitable
from contextlib import suppress
from datetime import datetime
from typing import Any, TypeVar

import msgspec
from msgspec import Struct
from nats.aio.client import Client
from nats.errors import AuthorizationError, Error, NoRespondersError
from nats.js.api import Header, StreamConfig
from nats.js.errors import APIError

from oca.common.errors import SteeringError

CONNECT_S = 2
ASK_S = 1.5
FAULTS_KEPT = 8
"""Of a connection, the latest: it may live for months, and only what came before it stood is told."""
CLOSE_S = 1.0
PING_S = 5
_WRONG_PLACE = 10071
"""The server's code for "wrong last sequence"."""
_NO_MESSAGE = 10037
_NO_STREAM = 10059
Answer = TypeVar("Answer")


class EngineAwayError(SteeringError):
    """The engine cannot be reached, or has nobody who could answer."""

    retryable = True


class WrongPlaceError(SteeringError):
    """Something else was written to the log meanwhile."""


class Message(Struct, frozen=True):
    """A stored message: its number in the stream, and when the server took it."""

    seq: int
    time: datetime
    data: bytes = b""


class _Fault(Struct, frozen=True):
    code: int = 0
    err_code: int = 0
    description: str = ""


class _Got(Struct, frozen=True):
    message: Message | None = None
    error: _Fault | None = None


class _Size(Struct, frozen=True):
    messages: int = 0
    bytes: int = 0
    first_seq: int = 0
    last_seq: int = 0
    last_ts: datetime | None = None


class Stream(Struct, frozen=True):
    """What there is of a stream; ``created`` tells one from another of the same name."""

    created: str = ""
    state: _Size = _Size()
    error: _Fault | None = None


_read_got = msgspec.json.Decoder(_Got).decode
_read_stream = msgspec.json.Decoder(Stream).decode
_encode = msgspec.json.Encoder().encode


class Session:
    """A connection to one server of the cluster."""

    def __init__(self, client: Client, server: str) -> None:
        self.server = server
        self.has_ended = False
        self._client = client
        self._watching: list[asyncio.Event] = []

    @classmethod
    async def open(
        cls, server: str, *, name: str, tls: ssl.SSLContext | None, user: str, password: str, token: str
    ) -> Session:
        """Connect.

        Raises:
            EngineAwayError: The server is not there, or refuses.
        """
        client = Client()
        session = cls(client, server)
        said: deque[Exception] = deque(maxlen=FAULTS_KEPT)

        async def closed() -> None:
            session.has_ended = True
            for event in session._watching:
                event.set()

        async def failed(error: Exception) -> None:
            said.append(error)

        try:
            async with asyncio.timeout(2 * CONNECT_S):
                await client.connect(
                    [server],
                    name=name,
                    allow_reconnect=False,
                    max_reconnect_attempts=1,
                    reconnect_time_wait=0,
                    connect_timeout=CONNECT_S,
                    ping_interval=PING_S,
                    max_outstanding_pings=2,
                    closed_cb=closed,
                    error_cb=failed,
                    tls=tls if server.startswith("tls://") else None,
                    user=user or None,
                    password=password or None,
                    token=token or None,
                )
        except (Error, OSError, TimeoutError, ssl.SSLError) as error:
            with suppress(Exception):
                await asyncio.wait_for(client.close(), CLOSE_S)
            raise _away(server, next(filter(_is_refusal, said), said[-1] if said else error)) from None
        return session

    async def close(self) -> None:
        """End the connection; a server that hangs does not hold this up."""
        with suppress(Exception):
            await asyncio.wait_for(self._client.close(), CLOSE_S)

    async def watch(self, subject: str, event: asyncio.Event) -> None:
        """Have ``event`` set whenever something is written to ``subject``, and when the connection ends."""
        self._watching.append(event)

        async def written(_: Any) -> None:
            event.set()

        await self._do(self._client.subscribe(subject, cb=written))

    async def ensure(self, stream: str, subjects: list[str], *, replicas: int, **limits: Any) -> Stream:
        """Make the stream if it is not there; what it is.

        Raises:
            EngineAwayError: It cannot be made now.
        """
        found = await self.stream(stream)
        if found is not None:
            return found
        config = StreamConfig(name=stream, subjects=subjects, num_replicas=replicas, **limits)
        with suppress(APIError):  # another instance may have made it meanwhile: the next look tells
            await self._do(self._client.jetstream(timeout=ASK_S).add_stream(config))
        made = await self.stream(stream)
        if made is None:
            raise EngineAwayError(
                f"{self.server} cannot make the stream {stream} on {replicas} servers now",
                remedy="see that as many servers of the cluster run with JetStream, or set state.nats.replicas lower",
            )
        return made

    async def stream(self, stream: str) -> Stream | None:
        """What there is of it; None: it is not there."""
        found = _read_stream(await self._ask(f"$JS.API.STREAM.INFO.{stream}", b""))
        if found.error is not None and found.error.err_code == _NO_STREAM:
            return None
        self._refuse(found.error)
        return found

    async def append(self, subject: str, body: bytes, *, once: str, after: int | None = None) -> int:
        """Write a message; its number.

        Args:
            subject: Where.
            body: What.
            once: Its name: written again within two minutes, it is the same message.
            after: The number of the message that must be the subject's last.

        Raises:
            WrongPlaceError: Another is the subject's last.
            EngineAwayError: Whether it was written is not known.
        """
        headers: dict[str, str] = {Header.MSG_ID.value: once}
        if after is not None:
            headers[Header.EXPECTED_LAST_SUBJECT_SEQUENCE.value] = str(after)
        try:
            ack = await self._do(self._client.jetstream(timeout=ASK_S).publish(subject, body, headers=headers))
        except APIError as error:
            if error.err_code == _WRONG_PLACE:
                raise WrongPlaceError(
                    "another instance wrote to the shared state meanwhile", remedy="try again"
                ) from None
            raise _away(self.server, error) from None
        return ack.seq

    async def after(self, stream: str, subject: str, number: int) -> Message | None:
        """The subject's first message with a higher number; None: there is none yet."""
        return await self._get(stream, {"seq": number + 1, "next_by_subj": subject})

    async def last(self, stream: str, subject: str) -> Message | None:
        """The subject's last message."""
        return await self._get(stream, {"last_by_subj": subject})

    async def at(self, stream: str, number: int) -> Message | None:
        """The message of that number."""
        return await self._get(stream, {"seq": number})

    async def purge(self, stream: str, *, before: int) -> None:
        """Drop the messages of lower numbers."""
        if before <= 1:  # there are none, and a server takes it for all
            return
        raw = await self._ask(f"$JS.API.STREAM.PURGE.{stream}", _encode({"seq": before}))
        self._refuse(_read_got(raw).error)

    async def _get(self, stream: str, which: dict[str, Any]) -> Message | None:
        got = _read_got(await self._ask(f"$JS.API.STREAM.MSG.GET.{stream}", _encode(which)))
        if got.error is not None and got.error.err_code == _NO_MESSAGE:
            return None
        self._refuse(got.error)
        return got.message

    async def _ask(self, subject: str, body: bytes) -> bytes:
        return (await self._do(self._client.request(subject, body, timeout=ASK_S))).data

    async def _do(self, work: Awaitable[Answer]) -> Answer:
        """Await it, no longer than the connection holds and a bound; faults of the connection as ours."""
        try:
            async with asyncio.timeout(2 * ASK_S):
                return await work
        except APIError:
            raise
        except (Error, OSError, TimeoutError, asyncio.InvalidStateError) as error:
            raise _away(self.server, error) from None

    def _refuse(self, fault: _Fault | None) -> None:
        if fault is not None:
            raise EngineAwayError(
                f"{self.server} answers {fault.code}: {fault.description}",
                remedy="see the log of nats-server and that most servers of the cluster run",
            )


def _is_refusal(error: Exception) -> bool:
    """Whether the server does not let us in; it says so in words alone while a connection begins."""
    return isinstance(error, AuthorizationError) or "authorization" in str(error).lower()


def _away(server: str, error: Exception) -> EngineAwayError:
    if _is_refusal(error):
        return EngineAwayError(
            f"{server} refuses the credentials", remedy="set state.nats.credentials_file to ones that the server knows"
        )
    if isinstance(error, NoRespondersError):
        why = "JetStream has no leader there now"
    elif isinstance(error, TimeoutError):
        why = "no answer in time"
    else:
        why = str(getattr(error, "description", None) or error) or type(error).__name__
    return EngineAwayError(
        f"{server}: {why}", remedy="see that nats-server runs there with JetStream, and [state.nats] urls"
    )
