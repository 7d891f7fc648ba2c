"""Demand kept by the box and folded by steering, with either killed at any instant."""

from __future__ import annotations

import os
import random
import secrets
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest

from oca.common.demand import Taken, Wanted
from oca.common.errors import StoreError
from oca.common.log import configure_logging
from oca.common.messages import DemandBatch
from oca.report import kept_demand
from oca.report.demand import DemandLedger
from oca.report.kept_demand import KeptDemand
from oca.store import files
from steering.plan.demand import Wanted as Wants
from steering.plan.demand import fold, hours_of
from steering.plan.wanted import of_object
from steering.state.embedded import EmbeddedState

KILLS = 200
STEPS = range(1, 1_000_000)
NOW_NS = 20_000 * 86400 * 10**9
_decode = msgspec.msgpack.Decoder(DemandBatch).decode
_encode = msgspec.msgpack.Encoder().encode


def kept(folder: Path, epoch: str) -> KeptDemand:
    return KeptDemand(folder, epoch, started_at_ns=1)


def test_kept_demand_is_told_by_the_next_run_before_its_own(tmp_path: Path) -> None:
    first = kept(tmp_path / "demand", "a" * 32)
    first.add(Taken({"t/a": (1, 10)}))
    sent = first.batch(5)
    first.add(Taken({"t/b": (2, 20)}))
    first.keep(first.due())
    assert kept(tmp_path / "demand", "c" * 32).batch(7) is None  # the first still counts
    os.close(first._locks["a" * 32])
    second = kept(tmp_path / "demand", "b" * 32)
    second.add(Taken({"t/c": (3, 30)}))
    assert second.batch(9) == sent
    second.acknowledge(1)
    batches = []
    while (batch := second.batch(9)) is not None:
        batches.append((batch.epoch[0], batch.sequence, [tuple(msgspec.to_builtins(item)) for item in batch.items]))
        second.acknowledge(batch.sequence)
    assert batches == [("a", 2, [("t/b", 2, 20, 0)]), ("b", 1, [("t/c", 3, 30, 0)])]
    assert not [path for path in (tmp_path / "demand").iterdir() if path.name.startswith("a")]


def test_kept_demand_writes_only_what_changed(tmp_path: Path) -> None:
    made = kept(tmp_path / "demand", "a" * 32)
    made.add(Taken({"t/a": (1, 10)}))
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
        made.add(Taken({"t/a": (1, 10)}))
        made.keep(made.due())
        assert made.batch(2) is not None


@contextmanager
def failing(call: str, name: str) -> Iterator[None]:
    """A call of ``oca.store.files`` fails for the file of that name."""
    works = getattr(files, call)

    def fail(*given: Any) -> Any:
        if any(isinstance(one, Path) and one.name == name for one in given):
            raise StoreError(f"cannot read {name}: Input/output error", remedy="mend the device")
        return works(*given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, call, fail)
        yield


def left_by(folder: Path, epoch: str) -> None:
    """A run that counted, kept that, and ended."""
    made = kept(folder, epoch)
    made.add(Taken({f"t/{epoch[0]}": (1, 10)}))
    made.batch(5)
    made.keep(made.due())
    for descriptor in made._locks.values():
        os.close(descriptor)


def told_by(made: KeptDemand) -> list[str]:
    told = []
    while (batch := made.batch(9)) is not None:
        told.append(batch.epoch[0])
        made.acknowledge(batch.sequence)
    return told


def test_kept_demand_takes_up_the_others_where_one_cannot_be_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging(style="json")
    folder = tmp_path / "demand"
    first = kept(folder, "a" * 32)
    left_by(folder, "c" * 32)
    os.close(first._locks["a" * 32])
    first.add(Taken({"t/a": (1, 10)}))
    first.keep(first.due())
    with failing("read_at", "a" * 32):
        second = kept(folder, "b" * 32)
    assert "demand of an earlier run cannot be taken up" in capsys.readouterr().err
    assert told_by(second) == ["c"]
    second.add(Taken({"t/b": (1, 10)}))
    second.keep(second.due())
    os.close(second._locks["b" * 32])
    assert sorted(told_by(kept(folder, "d" * 32))) == ["a", "b"]


def test_kept_demand_is_written_only_once_its_lock_is_held(tmp_path: Path) -> None:
    folder, own = tmp_path / "demand", "b" * 32
    left_by(folder, "a" * 32)
    with failing("lock", f"{own}.lock"):
        made = kept(folder, own)
        made.add(Taken({"t/b": (1, 10)}))
        made.keep(made.due())
    assert not (folder / own).exists()
    made.keep(made.due())
    for descriptor in made._locks.values():
        os.close(descriptor)
    assert told_by(kept(folder, "d" * 32)) == ["a", "b"]


def test_ledger_comes_back_as_it_was() -> None:
    ledger = DemandLedger("a" * 32, started_at_ns=1)
    ledger.add(Taken({"t/a": (1, 10)}))
    ledger.batch(2)
    ledger.add(Taken({"t/b": (1, 10)}))
    assert DemandLedger.of(ledger.state()).state() == ledger.state()


def box(folder: Path, port_file: Path, chance: random.Random) -> None:
    """Count a byte more at each step, say so once it is kept, and tell steering; some batches twice, some late.

    As many are counted of an object that is not held and was fetched.
    """
    demand = kept(folder / "demand", secrets.token_hex(16))
    said = os.open(folder / "said", os.O_RDWR | os.O_CREAT | os.O_APPEND)
    lines = os.pread(said, 10**8, 0).split(b"\n")
    begun = max((int(line[1:]) for line in lines if line[:1] == b"b"), default=0)
    earlier: list[bytes] = []
    for step in STEPS[begun:]:
        os.write(said, b"b%d\n" % step)
        demand.add(Taken({f"s/{step}": (1, step)}, wanted={f"/s/{step}": Wanted(fetched=1, fetched_bytes=step)}))
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
                take(state, batch)
                line.sendall(batch.sequence.to_bytes(8, "big"))


def take(state: EmbeddedState, batch: DemandBatch) -> None:
    """In a transaction, as steering does; of what is not held each object is an asset's only one."""
    wanted = {item.path[1:]: of_object(item, 10**6) for item in batch.wanted}
    found = Wants({asset: counted for asset, counted in wanted.items() if counted is not None})
    with state.write() as transaction:
        known = {item.asset for item in batch.items}
        fold(transaction, "box-a", "site", batch, now_ns=NOW_NS * 2, known=known, wanted=found)


def cpu_s(child: int) -> float:
    """CPU time that a process has had (``clock_getcpuclockid``): what it can have done, however busy the machine."""
    return time.clock_gettime(~child << 3 | 2)


def start(part: Callable[[Path, Path, random.Random], None], folder: Path, seed: int) -> int:
    child = os.fork()
    if child:
        return child
    try:
        part(folder, folder / "port", random.Random(seed))
    finally:
        os._exit(1)


@pytest.mark.no_cover
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_demand_is_counted_exactly_once_through_200_kills_of_either_side(tmp_path: Path) -> None:
    seed = secrets.randbits(32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    parts = (box, steering)
    running = [start(part, tmp_path, chance.getrandbits(32)) for part in parts]
    kills = [0, 0]
    for _ in range(KILLS):
        until_s = sum(map(cpu_s, running)) + chance.uniform(0.0005, 0.01)
        while sum(map(cpu_s, running)) < until_s:
            time.sleep(0.0005)
        which = chance.randrange(2)
        kills[which] += 1
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
            take(state, batch)
            last.acknowledge(batch.sequence)
    hours = list(hours_of(state, "demand"))
    state.close()
    counted = {hour.asset: hour.counted.bytes for hour in hours}
    assert min(kills) > KILLS // 5
    assert all(hour.counted.fetched_bytes == hour.counted.bytes for hour in hours)
    assert len(counted) == len(hours)
    said = (tmp_path / "said").read_text().split()
    begun, surely = ({f"s/{line[1:]}": int(line[1:]) for line in said if line[0] == kind} for kind in "bk")
    assert len(surely) > 20
    assert surely.items() <= counted.items() <= begun.items()
    assert len(begun) - len(surely) <= KILLS + 1
    assert sum(counted.values()) == sum(begun[asset] for asset in counted)


def test_kept_demand_waits_for_no_device_that_hangs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging(style="json")
    over = threading.Event()
    monkeypatch.setattr(kept_demand, "ANSWER_S", 0.01)
    monkeypatch.setattr(files, "make_folder", lambda _folder: over.wait(30))
    made = kept(tmp_path / "demand", "a" * 32)
    made.add(Taken({"t/a": (1, 10)}))
    over.set()
    assert made.due() == []  # it would hang, too
    batch = made.batch(5)
    assert batch is not None
    assert batch.epoch == "a" * 32
    said = capsys.readouterr().err
    assert "has not answered for " in said
    assert "restart oca once the device answers" in said
