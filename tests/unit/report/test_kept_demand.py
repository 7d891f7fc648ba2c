"""Demand kept by the box and folded by steering, with either killed at any instant."""

from __future__ import annotations

import os
import random
import secrets
import signal
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest

from oca.common.messages import DemandBatch
from oca.report.demand import DemandLedger
from oca.report.kept_demand import KeptDemand
from steering.demand import fold
from steering.state.embedded import EmbeddedState
from tests.unit.steering.made_up import daily_bytes

KILLS = 200
STEPS = range(1, 1_000_000)
NOW_NS = 20_000 * 86400 * 10**9
_decode = msgspec.msgpack.Decoder(DemandBatch).decode
_encode = msgspec.msgpack.Encoder().encode


def kept(folder: Path, epoch: str) -> KeptDemand:
    return KeptDemand(folder, epoch, started_at_ns=1)


def test_kept_demand_is_told_by_the_next_run_before_its_own(tmp_path: Path) -> None:
    first = kept(tmp_path / "demand", "a" * 32)
    first.add({"t/a": (1, 10)})
    sent = first.batch(5)
    first.add({"t/b": (2, 20)})
    first.keep(first.due())
    assert kept(tmp_path / "demand", "c" * 32).batch(7) is None  # the first still counts
    os.close(first._locks["a" * 32])
    second = kept(tmp_path / "demand", "b" * 32)
    second.add({"t/c": (3, 30)})
    assert second.batch(9) == sent
    second.acknowledge(1)
    batches = []
    while (batch := second.batch(9)) is not None:
        batches.append((batch.epoch[0], batch.sequence, [tuple(msgspec.to_builtins(item)) for item in batch.items]))
        second.acknowledge(batch.sequence)
    assert batches == [("a", 2, [("t/b", 2, 20)]), ("b", 1, [("t/c", 3, 30)])]
    assert not [path for path in (tmp_path / "demand").iterdir() if path.name.startswith("a")]


def test_kept_demand_writes_only_what_changed(tmp_path: Path) -> None:
    made = kept(tmp_path / "demand", "a" * 32)
    made.add({"t/a": (1, 10)})
    made.keep(made.due())
    assert made.due() == []


def test_kept_demand_leaves_out_a_file_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "demand").mkdir()
    (tmp_path / "demand" / ("a" * 32)).write_bytes(b"\xff not one")
    (tmp_path / "demand" / f"{'a' * 32}.lock").touch()
    assert kept(tmp_path / "demand", "b" * 32).batch(1) is None
    assert not (tmp_path / "demand" / ("a" * 32)).exists()


def test_kept_demand_goes_on_in_memory_without_its_folder(tmp_path: Path) -> None:
    for folder in (tmp_path / "no" / "device", None):
        made = KeptDemand(folder, "a" * 32, started_at_ns=1)
        made.add({"t/a": (1, 10)})
        made.keep(made.due())
        assert made.batch(2) is not None


def test_ledger_comes_back_as_it_was() -> None:
    ledger = DemandLedger("a" * 32, started_at_ns=1)
    ledger.add({"t/a": (1, 10)})
    ledger.batch(2)
    ledger.add({"t/b": (1, 10)})
    assert DemandLedger.of(ledger.state()).state() == ledger.state()


def box(folder: Path, port_file: Path, chance: random.Random) -> None:
    """Count a byte more at each step, say so once it is kept, and tell steering; some batches twice, some late."""
    demand = kept(folder / "demand", secrets.token_hex(16))
    said = os.open(folder / "said", os.O_RDWR | os.O_CREAT | os.O_APPEND)
    lines = os.pread(said, 10**8, 0).split(b"\n")
    begun = max((int(line[1:]) for line in lines if line[:1] == b"b"), default=0)
    earlier: list[bytes] = []
    for step in STEPS[begun:]:
        os.write(said, b"b%d\n" % step)
        demand.add({f"s/{step}": (1, step)})
        batch = demand.batch(NOW_NS + step)
        demand.keep(demand.due())
        os.write(said, b"k%d\n" % step)
        if batch is None:
            continue
        raw = _encode(batch)
        for message in [*chance.sample(earlier, min(len(earlier), chance.randrange(2))), raw, raw][: 3 - step % 2]:
            with suppress(OSError, ValueError), socket.socket() as line:
                line.settimeout(0.2)
                line.connect(("127.0.75.9", int(port_file.read_text())))
                line.sendall(len(message).to_bytes(4, "big") + message)
                answer = line.recv(8)
                if len(answer) == 8 and message is raw:
                    demand.acknowledge(int.from_bytes(answer, "big"))
        earlier = [*earlier[-5:], raw]


def steering(folder: Path, port_file: Path, chance: random.Random) -> None:
    """Fold what comes in transactions of the state, and acknowledge it."""
    del chance
    state = EmbeddedState.open(folder / "state", bytes_max=2**27)
    with socket.create_server(("127.0.75.9", 0)) as server:
        fresh = port_file.with_suffix(".new")
        fresh.write_text(str(server.getsockname()[1]))
        fresh.rename(port_file)
        while True:
            line, _ = server.accept()
            with line, suppress(OSError):
                length = int.from_bytes(line.recv(4), "big")
                raw = b""
                while len(raw) < length and (more := line.recv(length - len(raw))):
                    raw += more
                batch = _decode(raw)
                known = {item.asset for item in batch.items}
                with state.write() as transaction:
                    fold(transaction, "box-a", "site", batch, now_ns=NOW_NS * 2, known=known)
                line.sendall(batch.sequence.to_bytes(8, "big"))


def start(part: Callable[[Path, Path, random.Random], None], folder: Path, seed: int) -> int:
    child = os.fork()
    if child:
        return child
    try:
        part(folder, folder / "port", random.Random(seed))
    finally:
        os._exit(1)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_demand_is_counted_exactly_once_through_200_kills_of_either_side(tmp_path: Path) -> None:
    seed = secrets.randbits(32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    parts = (box, steering)
    running = [start(part, tmp_path, chance.getrandbits(32)) for part in parts]
    for _ in range(KILLS):
        time.sleep(chance.uniform(0.001, 0.04))
        which = chance.randrange(2)
        os.kill(running[which], signal.SIGKILL)
        os.waitpid(running[which], 0)
        running[which] = start(parts[which], tmp_path, chance.getrandbits(32))
    for child in running:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    state = EmbeddedState.open(tmp_path / "state", bytes_max=2**27)
    for run in range(20):  # each takes over what some runs left
        last = kept(tmp_path / "demand", f"{run:032}")
        while (batch := last.batch(NOW_NS)) is not None:
            known = {item.asset for item in batch.items}
            with state.write() as transaction:
                fold(transaction, "box-a", "site", batch, now_ns=NOW_NS * 2, known=known)
            last.acknowledge(batch.sequence)
    counted = {asset: sum(days.values()) for asset, days in daily_bytes(state).get("site", {}).items()}
    state.close()
    said = (tmp_path / "said").read_text().split()
    begun, surely = ({f"s/{line[1:]}": int(line[1:]) for line in said if line[0] == kind} for kind in "bk")
    assert len(surely) > 20
    assert surely.items() <= counted.items() <= begun.items()
    assert len(begun) - len(surely) <= KILLS + 1
    assert sum(counted.values()) == sum(begun[asset] for asset in counted)
