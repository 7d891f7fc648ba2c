"""The shared log: follows it into this instance's copy, and writes to it in turns.

Each commit is one entry, so it happens whole or not at all, at every instance in the same order. An entry holds only
right behind the one that its writer saw last (``turns``); that is what makes one writer at a time of many instances.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress

from msgspec.structs import replace

from oca.common.clock import monotonic_s
from oca.common.errors import SteeringError
from oca.common.log import get_logger
from oca.common.tasks import Tasks
from steering.state import snapshots
from steering.state.entries import CHUNK_BYTES, Changes, Entry, cut, encode, pack, read_entry, unpack
from steering.state.jetstream import EngineAwayError, Session, Stream, WrongPlaceError
from steering.state.mirror import Mirror
from steering.state.peers import Link
from steering.state.turns import Turns

LEASE_S = 5.0
"""How long a writer that was killed keeps the others from writing."""
RENEW_S = LEASE_S / 3
WRITE_S_MAX = 12.0
"""How long a write tries: longer than the cluster takes for a new leader."""
TURN_S_MAX = 900.0
"""How long a turn is prolonged: a writer that hangs within its transaction then lets the others write."""
LOOK_S = 0.5
"""How often it is looked without being told: an engine that is cut off is known after so long and an answer's time."""
ENTRIES_AT_ONCE = 64
_log = get_logger("state")


class Hold:
    """A turn of this instance."""

    def __init__(self, turn: str) -> None:
        self.turn = turn
        self.renewing = Tasks()


class SharedLog:
    """The log of one deployment; all of it runs on the link's own loop, but for ``link`` and ``leave``."""

    def __init__(self, mirror: Mirror, *, name: str, writer: str, replicas: int, is_service: bool) -> None:
        """``writer`` names this run of this process, as no other is called; a command says itself how it went."""
        self._is_service = is_service
        self._mirror = mirror
        self._name, self._writer = name, writer
        self._replicas = replicas
        self._streams = f"{name}-state", f"{name}-snapshots"
        self._subject, self._parts = f"{name}.log", f"{name}.part"
        self._session: Session | None = None
        self._log = ""
        self._turns = Turns()
        self._read = 0
        """The number of the last entry that was read, whether it holds or not."""
        self._count = 0
        self._moved, self._catching_up = asyncio.Event(), asyncio.Lock()
        self._beside = Tasks()
        self._link = Link(connected=False, since_s=monotonic_s(), why="not connected yet")

    def link(self) -> Link:
        """Whether what others write is seen."""
        return self._link

    def leave(self, why: str) -> None:
        """Note that the engine is away, and why."""
        if self._link.connected or self._link.why != why:
            since_s = monotonic_s() if self._link.connected else self._link.since_s
            if self._is_service and (self._link.connected or not self._log):
                _log.error("the shared state is away; answers go on from what is known here", why=why)
            self._link = Link(connected=False, since_s=since_s, why=why)
        self._session = None
        self._moved.set()

    async def follow(self, session: Session) -> None:
        """Keep the copy in step until the connection ends.

        Raises:
            SteeringError: It did, or the log is not one to follow.
        """
        state, kept = self._streams
        stream = await session.ensure(state, [self._subject, self._parts], replicas=self._replicas)
        await session.ensure(kept, [f"{self._name}.snapshot.>"], replicas=self._replicas)
        wake = asyncio.Event()
        await session.watch(self._subject, wake)
        await self._join(session, stream)
        looked = 0
        while True:
            wake.clear()
            await self._catch_up(session)
            self._arrive(session)
            looked += 1
            if looked % snapshots.LOOK_EVERY == 0:
                self._beside.start(self._snapshot(session), name="snapshot")
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await wake.wait()
            if session.has_ended:
                raise EngineAwayError(f"{session.server} has closed the connection", remedy="see that nats-server runs")

    # ---- following ----

    async def _snapshot(self, session: Session) -> None:
        try:
            await snapshots.make_if_due(session, self._mirror, self._name, writer=self._writer)
        except SteeringError as error:
            _log.warning("no snapshot of the shared state was made", why=str(error))

    async def _join(self, session: Session, stream: Stream) -> None:
        """Find where in the log this copy is, from a snapshot if need be."""
        position, log = self._mirror.position(), stream.created
        if position.number and (position.log != log or stream.state.last_seq < position.number):
            raise SteeringError(
                f"the state at {session.server} is not the one that this instance has a copy of (made {log}, "
                f"{stream.state.last_seq} entries; the copy: made {position.log}, {position.number})",
                remedy="correct [state.nats] urls and name; if the engine was set up anew, see docs/state.md",
            )
        if position.number + 1 < stream.state.first_seq:
            await snapshots.load(session, self._mirror, self._name, log=log, beyond=position.number)
        if self._log != log or self._turns.number < self._mirror.position().number:
            self._turns.restart(self._mirror.position().number)
            self._read = self._turns.number
        self._log = log

    async def _catch_up(self, session: Session) -> None:
        """Take in all that is in the log now."""
        async with self._catching_up:
            while await self._take_some(session):
                self._moved.set()

    async def _take_some(self, session: Session) -> bool:
        """Take in the next entries, their commits in one transaction of the copy; whether there were any."""
        ahead = self._turns.ahead()
        read, held, seen, changes = self._read, 0, list[tuple[int, Entry]](), list[Changes]()
        while held < 16 * CHUNK_BYTES and len(seen) < ENTRIES_AT_ONCE:
            message = await session.after(self._streams[0], self._subject, read)
            if message is None:
                break
            entry = read_entry(message.data)
            judged = ahead.judge(entry)
            if judged == "gap":
                raise EngineAwayError(
                    f"the shared log was cut short before this instance had read all of it: entry {message.seq} was "
                    f"written behind {entry.after}, the last one here is {ahead.number}",
                    remedy="it takes a snapshot now",
                )
            read = message.seq
            if judged == "void":
                continue
            ahead.seen(read, entry, 0.0)
            seen.append((read, entry))
            if entry.kind == "commit":
                body = entry.body or await self._joined(session, entry.parts)
                held += len(body)
                changes.append(unpack(body))
        if changes:
            last = max(number for number, entry in seen if entry.kind == "commit")
            self._mirror.take(self._log, last, changes)
        for number, entry in seen:
            self._turns.seen(number, entry, monotonic_s())
        is_new, self._read = read > self._read, read
        return is_new

    async def _joined(self, session: Session, parts: list[int]) -> bytes:
        pieces = []
        for number in parts:
            message = await session.at(self._streams[0], number)
            if message is None:
                raise EngineAwayError(f"{session.server} has lost part {number} of the log", remedy="see its log")
            pieces.append(message.data)
        return b"".join(pieces)

    def _arrive(self, session: Session) -> None:
        if not self._link.connected:
            if self._is_service:
                _log.info("the shared state is followed", server=session.server, entry=self._turns.number)
            self._link = Link(connected=True, since_s=monotonic_s())
        self._session = session
        self._moved.set()

    # ---- writing ----

    async def begin(self) -> Hold:
        """Have the turn: what this instance has a copy of is then all there is, until it commits or ends it.

        Raises:
            SteeringError: The engine is away, or others write for too long.
        """
        self._count += 1
        turn, until_s, tries = f"{self._writer}.{self._count}", monotonic_s() + WRITE_S_MAX, 0
        entry = Entry(kind="begin", turn=turn, writer=self._writer, after=0, lease_s=LEASE_S)
        while not self._turns.is_open(turn):
            wait_s = self._turns.wait_s(monotonic_s())
            if wait_s and monotonic_s() > until_s:
                raise SteeringError(
                    f"{self._turns.holder()} has been writing to the shared state for long", remedy="try again"
                )
            if wait_s:
                await self._move(wait_s)
                continue
            tries += 1
            try:
                session = self._live()
                with suppress(WrongPlaceError):
                    await self._append(session, entry, f"{turn}.{tries}", opens=True)
                await self._catch_up(session)
            except EngineAwayError:
                if monotonic_s() > until_s or self._is_away_for(WRITE_S_MAX):
                    raise
                await self._move(LOOK_S / 2)
        hold = Hold(turn)
        hold.renewing.start(self._renew(hold, entry), name="turn")
        return hold

    async def commit(self, hold: Hold, changes: Mapping[str, bytes | None]) -> None:
        """Make the changes happen, and end the turn, also where they did not.

        Raises:
            SteeringError: They did not; or, with the engine away, whether they did is not known.
        """
        try:
            await self._commit(hold, changes)
        except BaseException:
            await self.end(hold)
            raise

    async def _commit(self, hold: Hold, changes: Mapping[str, bytes | None]) -> None:
        body, numbers = pack(changes), []
        if len(body) > CHUNK_BYTES:
            numbers = [await self._insist(piece, f"{hold.turn}.part.{place}") for place, piece in enumerate(cut(body))]
            body = b""
        await hold.renewing.close()
        entry = Entry(kind="commit", turn=hold.turn, writer=self._writer, after=0, body=body, parts=numbers)
        until_s, tries = monotonic_s() + WRITE_S_MAX, 0
        while not await self._try_commit(hold, entry, f"{hold.turn}.commit.{tries}", until_s=until_s):
            tries += 1
            await self._move(LOOK_S / 2)

    async def end(self, hold: Hold) -> None:
        """End the turn without a change. Should that not be heard, it ends by itself."""
        await hold.renewing.close()
        entry = Entry(kind="end", turn=hold.turn, writer=self._writer, after=0)
        if (session := self._session) is not None:
            with suppress(EngineAwayError, WrongPlaceError):
                await self._append(session, entry, f"{hold.turn}.end")
                await self._catch_up(session)

    async def _append(self, session: Session, entry: Entry, once: str, *, opens: bool = False) -> None:
        """Write an entry right behind the last one that was read; whether it holds, reading it tells.

        Raises:
            WrongPlaceError: Another came before it; or the turn is over that it belongs to, unless it ``opens`` it.
            EngineAwayError: Whether it was written is not known.
        """
        if not opens and not self._turns.is_open(entry.turn):
            raise WrongPlaceError("the turn is over", remedy="try again")
        body = encode(replace(entry, after=self._turns.number))
        await session.append(self._subject, body, once=once, after=self._read)

    async def _try_commit(self, hold: Hold, entry: Entry, once: str, *, until_s: float) -> bool:
        """Write the commit; whether it is seen to hold. If not, it may be tried again: at most one of them holds."""
        try:
            session = self._live()
            with suppress(WrongPlaceError):
                await self._append(session, entry, once)
            await self._catch_up(session)
        except EngineAwayError:
            if monotonic_s() > until_s:
                raise
            return False
        if self._turns.is_committed(hold.turn):
            return True
        if not self._turns.is_open(hold.turn):
            raise SteeringError(
                "this instance was away, or writing, for longer than its turn lasts, and another wrote",
                remedy="try again",
            )
        return False

    async def _insist(self, body: bytes, once: str) -> int:
        """Write a part, over losses of the connection; its number."""
        until_s = monotonic_s() + WRITE_S_MAX
        while True:
            try:
                return await self._live().append(self._parts, body, once=once)
            except EngineAwayError:
                if monotonic_s() > until_s:
                    raise
                await self._move(LOOK_S / 2)

    async def _renew(self, hold: Hold, entry: Entry) -> None:
        for count in range(1, round(TURN_S_MAX / RENEW_S)):
            await asyncio.sleep(RENEW_S)
            if (session := self._session) is not None:
                with suppress(EngineAwayError, WrongPlaceError):
                    await self._append(session, entry, f"{hold.turn}.renew.{count}")

    def _is_away_for(self, limit_s: float) -> bool:
        """A new leader is there within the limit; what takes longer will take longer still."""
        return not self._link.connected and (not self._log or monotonic_s() - self._link.since_s > limit_s)

    def _live(self) -> Session:
        if self._session is None:
            why = self._link.why
            raise EngineAwayError(f"the shared state is away: {why}", remedy="nothing was written; try again")
        return self._session

    async def _move(self, timeout_s: float) -> None:
        """Wait until something is seen to happen, or the time is up."""
        self._moved.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._moved.wait()
