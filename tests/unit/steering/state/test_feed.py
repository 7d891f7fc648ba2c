"""What instances tell each other over NATS; each once, in order, also over a loss of the engine."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from demo.process import becomes_true
from oca.common.errors import SteeringError
from steering.state.feed import Batch, Inbox, Outbox
from steering.state.peers import Told, Topic
from steering.state.shared import Identity, SharedState
from tests.unit.steering.state.conftest import name_of, nats_table
from tests.unit.steering.state.nats_server import NatsServer


def batch(words: list[tuple[Topic, bytes]], number: int = 1, instance: str = "b", pieces: int = 1) -> list[Batch]:
    body = zlib.compress(msgspec.msgpack.encode(words))
    size = -(-len(body) // pieces)
    return [
        Batch(instance=instance, boot="1", number=number, piece=piece, pieces=pieces, body=body[piece * size :][:size])
        for piece in range(pieces)
    ]


def test_outbox_lets_only_the_newest_of_the_same_wait() -> None:
    outbox = Outbox()
    outbox.put("reports", "fra1-a", b"old")
    outbox.put("reports", "fra1-b", b"b")
    outbox.put("reports", "fra1-a", b"new")
    assert outbox.take() == [("reports", b"b"), ("reports", b"new")]
    assert outbox.take() == []


def test_outbox_drops_the_oldest_beyond_its_bound_and_says_so_once() -> None:
    outbox = Outbox(bytes_max=10)
    assert [outbox.put("routes", str(number), b"1234") for number in range(4)] == [False, False, True, False]
    assert outbox.take(size=5) == [("routes", b"1234")] * 2


def test_inbox_puts_pieces_together_and_takes_each_message_once() -> None:
    inbox, words = Inbox(("a", "1")), [("reports", b"r" * 50), ("routes", b"x")]
    pieces = batch(words, pieces=3)  # type: ignore[arg-type]
    assert [inbox.take(piece) for piece in pieces] == [[], [], words]
    assert [inbox.take(piece) for piece in pieces] == [[], [], []]
    assert Inbox(("b", "1")).take(pieces[0]) == []  # its own


def test_inbox_leaves_out_message_whose_first_piece_it_missed() -> None:
    inbox = Inbox(("a", "1"))
    pieces = batch([("reports", b"r" * 50)], pieces=2)
    assert inbox.take(pieces[1]) == []
    assert inbox.take(batch([("reports", b"next")], number=2)[0]) == [("reports", b"next")]


def test_inbox_names_instance_that_cannot_be_understood() -> None:
    strange = Batch(instance="b", boot="1", number=1, piece=0, pieces=1, body=b"?")
    with pytest.raises(SteeringError, match="what instance b tells cannot be read"):
        Inbox(("a", "1")).take(strange)


async def until(condition: Callable[[], bool]) -> None:
    assert await becomes_true(condition, 20.0)


async def test_instances_hear_each_other_once_and_in_order_over_a_loss_of_the_engine(
    nats: NatsServer, tmp_path: Path
) -> None:
    def opened(name: str) -> SharedState:
        table = nats_table(nats, tmp_path / name, name=name_of(tmp_path), instance=name)
        return SharedState.open(table, Identity(name, "1", is_service=True), lambda: 0.5)

    a, b = await asyncio.to_thread(opened, "a"), await asyncio.to_thread(opened, "b")
    heard: dict[str, list[Told]] = {"a": [], "b": []}
    a.peers.listen("reports", heard["a"].append)
    b.peers.listen("reports", heard["b"].append)
    a.peers.begin()
    b.peers.begin()
    big = bytes(range(256)) * 4096
    a.peers.tell("reports", b"1", about="x")
    a.peers.tell("routes", b"nobody listens")
    await until(lambda: len(heard["b"]) == 1)
    a.peers.tell("reports", big, about="y")
    await until(lambda: len(heard["b"]) == 2)
    nats.kill()
    await until(lambda: not a.peers.link().connected and not b.peers.link().connected)
    a.peers.tell("reports", b"superseded", about="x")
    a.peers.tell("reports", b"3", about="x")
    b.peers.tell("reports", b"from b")
    nats.start()
    await until(lambda: len(heard["b"]) == 3 and len(heard["a"]) == 1)
    c = await asyncio.to_thread(opened, "c")
    late: list[Told] = []
    c.peers.listen("reports", late.append)
    c.peers.begin()
    await until(lambda: len(late) == 4)
    assert [told.body for told in heard["b"]] == [b"1", big, b"3"]
    assert [(told.instance, told.body) for told in heard["a"]] == [("b", b"from b")]
    assert sorted(told.body for told in late) == sorted([b"1", big, b"3", b"from b"])
    assert late[0].age_s > late[-1].age_s
    for state in (a, b, c):
        await asyncio.to_thread(state.close)


async def test_instances_of_one_name_are_told_so(
    nats: NatsServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def opened(boot: str) -> SharedState:
        table = nats_table(nats, tmp_path / boot, name=name_of(tmp_path), instance="a")
        return SharedState.open(table, Identity("a", boot, is_service=True), lambda: 0.5)

    first = await asyncio.to_thread(opened, "1")
    heard: list[Told] = []
    first.peers.listen("reports", heard.append)
    first.peers.begin()
    second = await asyncio.to_thread(opened, "2")
    second.peers.tell("reports", b"x")
    await until(lambda: len(heard) == 1)
    assert "another instance of steering is called a too" in "".join(capsys.readouterr())  # whichever the log goes to
    for state in (first, second):
        await asyncio.to_thread(state.close)
