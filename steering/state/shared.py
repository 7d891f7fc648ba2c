"""State shared by instances: a ``StateStore`` over a log in NATS and a copy of it here, and the ``Peers`` beside it.

The connection lives in a thread of its own. Reads see the copy alone; writes go through the log.
"""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from oca.common.errors import ConfigError, SteeringError
from oca.common.log import get_logger
from oca.common.tasks import LoopThread, Tasks
from oca.common.token import read_token
from steering.state.feed import Feed
from steering.state.jetstream import EngineAwayError, Session
from steering.state.log import WRITE_S_MAX, SharedLog
from steering.state.mirror import Mirror
from steering.state.overlay import Overlay
from steering.state.settings import NatsTable, StateTable
from steering.state.store import StateReader

JOIN_S_MAX = 2.0
"""How long opening waits to be in step; after that, what is known here has to do."""
FIRST_JOIN_S_MAX = 10.0
"""The same, where nothing is known here yet."""
PAUSE_S_MAX = 2.0
PAUSE_S_MIN = 0.1
Answer = TypeVar("Answer")
_log = get_logger("state")


@dataclass(frozen=True, slots=True)
class Identity:
    """Who opens the state: the instance, this run of this process, and whether it is the service, which hears peers."""

    instance: str
    run: str
    is_service: bool


class SharedState:
    """A ``StateStore``; see there for what the methods promise. ``peers`` are the other instances."""

    def __init__(self, table: StateTable, mirror: Mirror, who: Identity, chance: Callable[[], float]) -> None:
        """Connect, and wait for a moment to be in step.

        Raises:
            ConfigError: A file that the settings name cannot be used.
        """
        self._mirror = mirror
        self._connection = _connection(table.nats, who)
        self._chance = chance
        self._servers = table.nats.urls
        self._thread = LoopThread(name="state")
        self._writing = threading.Lock()
        self._joined = threading.Event()
        writer = f"{who.instance}.{who.run}"
        name, replicas = table.nats.name, table.nats.replicas
        self._log = SharedLog(mirror, name=name, writer=writer, replicas=replicas, is_service=who.is_service)
        self.peers = Feed(
            self._thread.loop,
            name=name,
            instance=who.instance,
            boot=who.run,
            replicas=replicas,
            link=self._log.link,
        )
        self._is_service = who.is_service
        self._thread.start(self._stay_linked(), name="link")
        self._joined.wait(JOIN_S_MAX if mirror.position().number else FIRST_JOIN_S_MAX)

    @classmethod
    def open(cls, table: StateTable, who: Identity, chance: Callable[[], float]) -> SharedState:
        """Open the copy that the settings name, and connect.

        Raises:
            ConfigError: The copy cannot be opened, or a file that the settings name cannot be used.
        """
        mirror = Mirror.open(Path(table.path), bytes_max=table.bytes_max)
        try:
            return cls(table, mirror, who, chance)
        except ConfigError:
            mirror.close()
            raise

    def get(self, key: str) -> bytes | None:
        """The value under ``key``, or None."""
        return self._mirror.get(key)

    def scan(self, prefix: str, *, start: str = "") -> Iterator[tuple[str, bytes]]:
        """Every (key, value) whose key starts with ``prefix``, in key order, from the key ``start`` on."""
        return self._mirror.scan(prefix, start=start)

    def reading(self) -> AbstractContextManager[StateReader]:
        """Reads that all see the state of one moment."""
        return self._mirror.moment()

    @contextmanager
    def write(self) -> Iterator[Overlay]:
        """A transaction: held by the engine and seen here when the block ends, undone when it raises.

        Raises:
            SteeringError: The engine is away, or another instance has been writing for long.
        """
        if not self._writing.acquire(timeout=WRITE_S_MAX):
            raise SteeringError("the shared state is being written to for long", remedy="try again")
        try:
            hold = self._ask(self._log.begin())
            overlay = Overlay(self._mirror)
            try:
                yield overlay
            except BaseException:
                self._ask(self._log.end(hold))
                raise
            self._ask(self._log.commit(hold, overlay.changes) if overlay.changes else self._log.end(hold))
        finally:
            self._writing.release()

    def version(self) -> int:
        """A number that moves with every commit that was taken in."""
        return self._mirror.version()

    def free_readers(self) -> int:
        """As ``StateStore`` has it."""
        return self._mirror.free_readers()

    def close(self) -> None:
        """Let go of it."""
        self._thread.close()
        self._mirror.close()

    def _ask(self, work: Coroutine[Any, Any, Answer]) -> Answer:
        return self._thread.ask(work, timeout_s=86400.0)

    async def _stay_linked(self) -> None:
        """Be connected to one server or another, for ever."""
        failures = 0
        while True:
            server = self._servers[failures % len(self._servers)] if failures else self._any_server()
            try:
                session = await self._connection(server)
                try:
                    await self._use(session)
                finally:
                    failures = 0 if self._log.link().connected else failures
                    await session.close()
            except SteeringError as error:
                self._log.leave(str(error))
            except Exception as error:  # noqa: BLE001 - the seam that keeps one fault from cutting this instance off for good
                _log.error("following the shared state failed", exc_info=error)
                self._log.leave(f"{type(error).__name__}: {error}")
            failures += 1
            await asyncio.sleep(pause_s(failures, self._chance()))

    def _any_server(self) -> str:
        return self._servers[int(self._chance() * len(self._servers)) % len(self._servers)]

    async def _use(self, session: Session) -> None:
        """Follow and tell by this connection, until one of it fails.

        Raises:
            SteeringError: What failed first.
        """
        tasks = Tasks()
        works = [self._log.follow(session)]
        if self._is_service:
            await self.peers.join(session)
            works += [self.peers.follow(session), self.peers.send(session)]
        try:
            running = [tasks.start(_fault_of(work), name="link") for work in works]
            while not self._log.link().connected:
                done, _ = await asyncio.wait(running, timeout=0.02, return_when=asyncio.FIRST_COMPLETED)
                if done:
                    raise done.pop().result()
            self._joined.set()
            done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            raise done.pop().result()
        finally:
            await tasks.close()


def pause_s(failures: int, chance: float) -> float:
    """How long to wait before the next try: twice as long each time, up to a bound, and never two instances alike."""
    return max(PAUSE_S_MIN, min(PAUSE_S_MAX, PAUSE_S_MIN * 2.0 ** min(failures, 10)) * chance)


async def _fault_of(work: Coroutine[Any, Any, None]) -> SteeringError:
    try:
        await work
    except SteeringError as error:
        return error
    return EngineAwayError("the connection has ended", remedy="it is tried again by itself")


def _connection(table: NatsTable, who: Identity) -> Callable[[str], Coroutine[Any, Any, Session]]:
    """How to connect to a server.

    Raises:
        ConfigError: A file that the settings name cannot be used.
    """
    secret = read_token(table.credentials_file, setting="state.nats.credentials_file")
    user, colon, password = secret.partition(":")
    tls = _tls(table)

    async def connect(server: str) -> Session:
        return await Session.open(
            server,
            name=f"oca-steering {who.instance}",
            tls=tls,
            user=user if colon else "",
            password=password,
            token="" if colon else secret,
        )

    return connect


def _tls(table: NatsTable) -> ssl.SSLContext | None:
    if not any(url.startswith("tls://") for url in table.urls):
        return None
    try:
        context = ssl.create_default_context(cafile=table.tls_ca_file or None)
        if table.tls_certificate_file:
            context.load_cert_chain(table.tls_certificate_file, table.tls_key_file or None)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"[state.nats] tls_ca_file, tls_certificate_file or tls_key_file cannot be used: {error}",
            remedy="give PEM files that this user may read; certificate and key must belong together",
        ) from None
    return context
