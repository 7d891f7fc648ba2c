"""What instances tell each other, through a stream that keeps it for two minutes: ``Peers`` over NATS.

Each message has a name, so that one written twice is stored once, and a number, so that one read twice is taken once.
"""

from __future__ import annotations

import asyncio
import threading
import zlib
from collections.abc import Callable
from contextlib import suppress

import msgspec
from msgspec import Struct

from oca.common.errors import SteeringError
from oca.common.log import get_logger
from steering.state.entries import CHUNK_BYTES, cut
from steering.state.jetstream import EngineAwayError, Message, Session, Stream
from steering.state.peers import Link, Told, Topic

TICK_S = 0.1
"""Told together: a report is shared within so long."""
LOOK_S = 0.5
KEPT_S = 120.0
STREAM_BYTES_MAX = 2**30
WAITING_BYTES_MAX = 64 * 2**20
BATCH_BYTES = 2**20
OPENED_BYTES_MAX = 2**28
_log = get_logger("peers")


class Batch(Struct, frozen=True, kw_only=True):
    """A message, or a piece of one: ``body`` is of ``pieces`` such, packed (topic, word) pairs."""

    instance: str
    boot: str
    number: int
    piece: int
    pieces: int
    body: bytes


_decode = msgspec.msgpack.Decoder(Batch).decode
_decode_words = msgspec.msgpack.Decoder(list[tuple[str, bytes]]).decode
"""A later release may have topics that this one does not know."""
_encode = msgspec.msgpack.Encoder().encode


class Outbox:
    """What waits to be told, oldest first; filled by one thread and emptied by another."""

    def __init__(self, *, bytes_max: int = WAITING_BYTES_MAX) -> None:
        self._bytes_max = bytes_max
        self._lock = threading.Lock()
        self._words: dict[tuple[Topic, str], bytes] = {}
        self._bytes = 0
        self._dropped = False

    def put(self, topic: Topic, about: str, word: bytes) -> bool:
        """Let it wait, in place of what waits of the same; whether this is the first that others were dropped for."""
        before = self._dropped
        with self._lock:
            self._drop((topic, about))
            self._words[topic, about] = word
            self._bytes += len(word)
            while self._bytes > self._bytes_max:
                self._drop(next(iter(self._words)))
                self._dropped = True
            return self._dropped and not before

    def take(self, size: int = BATCH_BYTES) -> list[tuple[Topic, bytes]]:
        """Words of about that size together, or one that is larger."""
        taken: list[tuple[Topic, bytes]] = []
        with self._lock:
            held = 0
            while self._words and held < size:
                key = next(iter(self._words))
                taken.append((key[0], self._words[key]))
                held += len(self._words[key])
                self._drop(key)
            self._dropped &= bool(self._words)
        return taken

    def _drop(self, key: tuple[Topic, str]) -> None:
        self._bytes -= len(self._words.pop(key, b""))


class Inbox:
    """Puts pieces together, and knows what was taken already; ``own`` are the names of this instance and its run."""

    def __init__(self, own: tuple[str, str]) -> None:
        self._own = own
        self._taken: dict[tuple[str, str], int] = {}
        self._pieces: dict[tuple[str, str], list[bytes]] = {}

    def take(self, batch: Batch) -> list[tuple[str, bytes]]:
        """The words that this piece makes whole; none of this run's own, none twice.

        Raises:
            SteeringError: They cannot be read.
        """
        of = batch.instance, batch.boot
        if of == self._own or batch.number <= self._taken.get(of, 0):
            return []
        if not batch.piece:
            self._pieces[of] = []
        held = self._pieces.get(of, [])
        if len(held) != batch.piece:  # the first of it was not seen
            return []
        held.append(batch.body)
        if len(held) < batch.pieces:
            return []
        del self._pieces[of]
        self._taken.pop(of, None)
        self._taken[of] = batch.number
        while len(self._taken) > 1000:
            del self._taken[next(iter(self._taken))]
        try:
            return _decode_words(zlib.decompressobj().decompress(b"".join(held), OPENED_BYTES_MAX))
        except (zlib.error, msgspec.DecodeError) as error:
            raise SteeringError(
                f"what instance {batch.instance} tells cannot be read: {error}",
                remedy="let all instances run the same release",
            ) from None


class Feed:
    """A ``Peers`` among the instances that share a stream."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        *,
        name: str,
        instance: str,
        boot: str,
        replicas: int,
        link: Callable[[], Link],
    ) -> None:
        """``loop`` is the link's; ``boot`` names this run of the instance."""
        self._loop = loop
        self.instance = instance
        self._boot = boot
        self._replicas = replicas
        self._stream, self._subject = f"{name}-feed", f"{name}.feed"
        self._state = link
        self._outbox = Outbox()
        self._inbox = Inbox((instance, boot))
        self._takers: dict[str, tuple[asyncio.AbstractEventLoop, Callable[[Told], None]]] = {}
        self._begun = asyncio.Event()
        self._pending: tuple[int, list[bytes]] | None = None
        self._number = 0
        self._log, self._read = "", 0
        self._found = Stream()
        self._namesake = ""

    # ---- from the service's loop ----

    def tell(self, topic: Topic, body: bytes, *, about: str = "") -> None:
        """As ``Peers`` has it."""
        if self._outbox.put(topic, about, body):
            _log.warning("too much waits to be told to other instances; the oldest goes, and is asked for anew")

    def listen(self, topic: Topic, take: Callable[[Told], None]) -> None:
        """As ``Peers`` has it."""
        self._takers[topic] = asyncio.get_running_loop(), take

    def begin(self) -> None:
        """As ``Peers`` has it."""
        self._loop.call_soon_threadsafe(self._begun.set)

    def link(self) -> Link:
        """As ``Peers`` has it."""
        return self._state()

    # ---- on the link's loop ----

    async def join(self, session: Session) -> None:
        """Find the stream, or make it.

        Raises:
            EngineAwayError: It cannot be made now.
        """
        limits = {"max_age": KEPT_S, "max_bytes": STREAM_BYTES_MAX}
        self._found = await session.ensure(self._stream, [self._subject], replicas=self._replicas, **limits)
        if self._found.created != self._log:
            self._log, self._read = self._found.created, 0

    async def send(self, session: Session) -> None:
        """Tell what waits, until the connection ends.

        Raises:
            EngineAwayError: It did.
        """
        while True:
            if self._pending is None:
                words = self._outbox.take()
                if not words:
                    await asyncio.sleep(TICK_S)
                    continue
                self._number += 1
                self._pending = self._number, list(cut(zlib.compress(_encode(words), 1), CHUNK_BYTES))
            number, pieces = self._pending
            for place, piece in enumerate(pieces):
                batch = Batch(
                    instance=self.instance, boot=self._boot, number=number, piece=place, pieces=len(pieces), body=piece
                )
                once = f"{self.instance}.{self._boot}.{number}.{place}"
                await session.append(self._subject, _encode(batch), once=once)
            self._pending = None

    async def follow(self, session: Session) -> None:
        """Hear what others tell, until the connection ends.

        Raises:
            SteeringError: It did.
        """
        wake = asyncio.Event()
        await session.watch(self._subject, wake)
        await self._begun.wait()
        while True:
            wake.clear()
            while (message := await session.after(self._stream, self._subject, self._read)) is not None:
                newest = self._found.state.last_ts
                age_s = (newest - message.time).total_seconds() if newest is not None else 0.0
                await self._hear(message, max(0.0, age_s))
                self._read = message.seq
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await wake.wait()
            if session.has_ended:
                raise EngineAwayError(f"{session.server} has closed the connection", remedy="see that nats-server runs")

    async def _hear(self, message: Message, age_s: float) -> None:
        try:
            batch = _decode(message.data)
            self._look_for_namesake(batch, message.seq)
            words = self._inbox.take(batch)
        except (msgspec.DecodeError, SteeringError) as error:
            _log.error("an instance cannot be understood", why=str(error))
            return
        by_loop: dict[asyncio.AbstractEventLoop, list[tuple[Callable[[Told], None], Told]]] = {}
        for topic, word in words:
            if topic in self._takers:
                loop, take = self._takers[topic]
                by_loop.setdefault(loop, []).append((take, Told(batch.instance, word, age_s)))
        for loop, taken in by_loop.items():
            await _deliver(loop, taken)

    def _look_for_namesake(self, batch: Batch, number: int) -> None:
        """What an earlier run of this instance told is before its start; what comes later is of another."""
        if batch.instance != self.instance or batch.boot == self._boot or number <= self._found.state.last_seq:
            return
        if batch.boot != self._namesake:
            self._namesake = batch.boot
            _log.error(
                f"another instance of steering is called {self.instance} too, and the two count as one",
                remedy="give each its own [state] instance",
            )


async def _deliver(loop: asyncio.AbstractEventLoop, taken: list[tuple[Callable[[Told], None], Told]]) -> None:
    """Hand it over, and wait until it was taken: so no more than one message lies between the two loops."""
    here, done = asyncio.get_running_loop(), asyncio.Event()

    def hand_over() -> None:
        try:
            for take, told in taken:
                take(told)
        finally:
            with suppress(RuntimeError):
                here.call_soon_threadsafe(done.set)

    try:
        loop.call_soon_threadsafe(hand_over)
    except RuntimeError:  # the service has ended
        return
    await done.wait()
