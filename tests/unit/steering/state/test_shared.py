"""What only several instances can show: writers that die, an engine that is away, logs cut short."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from oca.common.errors import ConfigError, SteeringError
from steering.state import jetstream, shared, snapshots
from steering.state import log as log_module
from steering.state.embedded import EmbeddedState
from steering.state.settings import NatsTable, StateTable
from steering.state.shared import Identity, SharedState, pause_s
from tests.unit.delivery.tls_bench import issue
from tests.unit.steering.state.conftest import name_of, nats_table
from tests.unit.steering.state.nats_server import NatsServer
from tests.waiting import WAIT_S, wait_until

Instance = Callable[[str], SharedState]


@pytest.fixture
def instance(nats: NatsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Instance]:
    monkeypatch.setattr(shared, "JOIN_S_MAX", 0.5)
    opened: list[SharedState] = []

    def open_one(name: str) -> SharedState:
        table = nats_table(nats, tmp_path / name, name=name_of(tmp_path), instance=name)
        opened.append(SharedState.open(table, Identity(name, str(len(opened)), is_service=False), lambda: 0.5))
        return opened[-1]

    yield open_one
    for state in opened:
        if not state._thread.loop.is_closed():
            state.close()


def put(state: SharedState, key: str, value: bytes) -> None:
    with state.write() as transaction:
        transaction.put(key, value)


def test_instances_see_each_others_writes_and_none_is_lost(instance: Instance) -> None:
    states = [instance(name) for name in "abc"]

    def count(state: SharedState) -> None:
        for _ in range(10):
            with state.write() as transaction:
                transaction.put("count", str(int(transaction.get("count") or b"0") + 1).encode())

    writers = [threading.Thread(target=count, args=[state]) for state in states]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    for state in states:
        wait_until(lambda state=state: state.get("count") == b"30")  # type: ignore[misc]


def test_large_change_goes_in_parts_and_arrives_whole(instance: Instance) -> None:
    a, b = instance("a"), instance("b")
    values = {f"key/{number}": bytes([number]) + threading.get_native_id().to_bytes(4) * 10 for number in range(9)}
    noise = random.Random(1).randbytes(800_000)
    with a.write() as transaction:
        transaction.put("big", noise)
        for key, value in values.items():
            transaction.put(key, value)
    wait_until(lambda: b.get("key/8") is not None)
    assert b.get("big") == noise
    assert dict(b.scan("key/")) == values


def test_writer_that_died_holds_the_others_up_for_its_lease_alone(
    instance: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_module, "LEASE_S", 1.0)
    a, b = instance("a"), instance("b")
    a._thread.ask(a._log.begin(), timeout_s=WAIT_S)
    a.close()
    began = time.monotonic()
    put(b, "x", b"1")
    assert time.monotonic() - began > 0.5


def test_writer_that_was_taken_over_writes_nothing(instance: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_module, "LEASE_S", 0.3)
    monkeypatch.setattr(log_module, "RENEW_S", 60.0)
    a, b = instance("a"), instance("b")

    def write_late() -> None:
        with a.write() as transaction:
            transaction.put("x", b"late")
            put(b, "x", b"in time")

    with pytest.raises(SteeringError, match="for longer than its turn lasts, and another wrote"):
        write_late()
    assert a.get("x") == b"in time"


def test_engine_that_is_away_leaves_reads_and_refuses_writes(
    instance: Instance, nats: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = instance("a"), instance("b")
    put(a, "x", b"1")
    wait_until(lambda: b.get("x") == b"1")
    nats.kill()
    wait_until(lambda: not a._log.link().connected)
    assert "nats-server" in a._log.link().why
    assert a.get("x") == b"1"
    with monkeypatch.context() as hasty:
        hasty.setattr(log_module, "WRITE_S_MAX", 0.5)
        with pytest.raises(SteeringError, match="the shared state is away"):
            put(a, "x", b"2")
    b.close()
    again = instance("b")
    assert again.get("x") == b"1"
    assert not again._log.link().connected
    nats.start()
    wait_until(lambda: a._log.link().connected and again._log.link().connected)
    put(again, "x", b"3")
    wait_until(lambda: a.get("x") == b"3")


def test_engine_that_hangs_counts_as_away(
    instance: Instance, nats: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jetstream, "ASK_S", 0.2)
    a = instance("a")
    nats.hang()
    try:
        wait_until(lambda: not a._log.link().connected)
    finally:
        nats.go_on()
    wait_until(lambda: a._log.link().connected)


def test_log_is_cut_short_and_new_instance_begins_with_snapshot(
    instance: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, behind = instance("a"), instance("behind")
    put(a, "gone", b"x")
    wait_until(lambda: behind.get("gone") == b"x")
    behind.close()
    for number in range(5):
        put(a, f"key/{number}", bytes(70_000))
    with a.write() as transaction:
        transaction.delete("gone")
    monkeypatch.setattr(snapshots, "LOG_ENTRIES_MAX", 3)

    async def make() -> int:
        session = a._log._session
        assert session is not None
        await snapshots.make_if_due(session, a._mirror, name_of(a_folder), writer="a")
        stream = await session.stream(f"{name_of(a_folder)}-state")
        assert stream is not None
        return stream.state.messages

    a_folder = Path(a._mirror._kept._path).parent
    assert a._thread.ask(make(), timeout_s=WAIT_S) == 1
    put(a, "key/0", b"after it")
    fresh, caught_up = instance("fresh"), instance("behind")
    for state in (fresh, caught_up):
        wait_until(lambda state=state: state.get("key/0") == b"after it")  # type: ignore[misc]
        assert dict(state.scan("")) == dict(a.scan(""))
    put(fresh, "key/1", b"")
    wait_until(lambda: a.get("key/1") == b"")


def test_instance_that_others_cut_the_log_away_from_takes_the_snapshot(
    instance: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Connected all the time, but slower than the log was cut short."""
    a, slow = instance("a"), instance("slow")
    put(a, "x", b"1")
    wait_until(lambda: slow.get("x") == b"1")
    with monkeypatch.context() as patch:
        patch.setattr(slow._log, "_catch_up", _nothing)
        with a.write() as transaction:
            transaction.put("missed", b"1")
            transaction.delete("x")
        put(a, "y", b"1")
        name = name_of(Path(a._mirror._kept._path).parent)

        async def cut() -> None:
            session = a._log._session
            assert session is not None
            await snapshots.make(session, a._mirror, name, writer="a")

        a._thread.ask(cut(), timeout_s=WAIT_S)
    wait_until(lambda: slow.get("y") == b"1")
    assert dict(slow.scan("")) == dict(a.scan(""))


async def _nothing(_session: object) -> None:
    """Stands in for a copy that falls behind."""


def test_copy_of_another_log_is_not_overwritten(instance: Instance, tmp_path: Path, nats: NatsServer) -> None:
    a = instance("a")
    put(a, "x", b"1")
    a.close()
    table = nats_table(nats, tmp_path / "a", name="other" + name_of(tmp_path)[:10])
    other = SharedState.open(table, Identity("a", "9", is_service=False), lambda: 0.5)
    wait_until(lambda: "is not the one that this instance has a copy of" in other._log.link().why)
    assert other.get("x") == b"1"
    with pytest.raises(SteeringError, match="is not the one"):
        put(other, "x", b"2")
    other.close()


def test_state_of_instance_alone_is_not_taken_for_a_copy(nats: NatsServer, tmp_path: Path) -> None:
    alone = EmbeddedState.open(tmp_path / "a", bytes_max=2**26)
    with alone.write() as transaction:
        transaction.put("title/x", b"")
    alone.close()
    with pytest.raises(ConfigError, match=r'holds the state of \[state\] engine = "lmdb"; .*state seed'):
        SharedState.open(nats_table(nats, tmp_path / "a", name="x"), Identity("a", "1", is_service=False), lambda: 0)


@pytest.mark.parametrize(
    ("table", "wanted"),
    [
        (NatsTable(credentials_file="/nowhere"), r"state.nats.credentials_file = '/nowhere': cannot be read"),
        (NatsTable(urls=("tls://127.0.0.1",), tls_ca_file="/nowhere"), r"\[state.nats\] tls_ca_file.*cannot be used"),
    ],
)
def test_unusable_files_are_named(table: NatsTable, wanted: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=wanted):
        SharedState.open(
            StateTable(engine="nats", path=str(tmp_path), bytes_max=2**20, nats=table),
            Identity("a", "1", is_service=False),
            lambda: 0.0,
        )


def test_connection_is_encrypted_and_proven(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared, "FIRST_JOIN_S_MAX", 0.5)
    issued = issue(tmp_path, "nats", ["127.0.101.1"])
    other = issue(tmp_path, "other", ["127.0.101.1"])
    (tmp_path / "server").mkdir()
    server = NatsServer(
        tmp_path / "server",
        'authorization { users: [ { user: steering, password: "a-long-random-text" } ] }\n'
        f'tls {{ cert_file: "{issued.chain_file}", key_file: "{issued.key_file}" }}\n',
    )
    good, bad = tmp_path / "good", tmp_path / "bad"
    good.write_text("steering:a-long-random-text\n")
    bad.write_text("steering:quite-another-text\n")

    def fault(credentials: Path, ca_file: str) -> str:
        nats = NatsTable(
            urls=(server.url.replace("nats:", "tls:"),),
            name="t",
            replicas=1,
            credentials_file=str(credentials),
            tls_ca_file=ca_file,
        )
        table = StateTable(engine="nats", path=str(tmp_path / "copy"), bytes_max=2**24, nats=nats)
        state = SharedState.open(table, Identity("a", credentials.name, is_service=False), lambda: 0.1)
        try:
            wait_until(lambda: state._log.link().why != "not connected yet")
            return state._log.link().why
        finally:
            state.close()

    try:
        assert fault(good, issued.chain_file) == ""
        assert "refuses the credentials; set state.nats.credentials_file" in fault(bad, issued.chain_file)
        assert "certificate verify failed" in fault(good, other.chain_file)
    finally:
        server.kill()


def test_pause_grows_to_its_bound_and_varies() -> None:
    assert pause_s(1, 0.0) == shared.PAUSE_S_MIN
    assert pause_s(2, 1.0) == 0.4
    assert pause_s(30, 1.0) == shared.PAUSE_S_MAX
    assert pause_s(30, 0.5) == 1.0


def test_nothing_of_it_keeps_an_event_loop(instance: Instance) -> None:
    """Reads and writes are for threads: a loop that runs elsewhere is not touched."""

    async def on_a_loop() -> bytes | None:
        state = await asyncio.to_thread(instance, "a")
        await asyncio.to_thread(put, state, "x", b"1")
        return state.get("x")

    assert asyncio.run(on_a_loop()) == b"1"
