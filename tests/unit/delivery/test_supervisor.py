import asyncio
import contextlib
import errno
import io
import os
import resource
import select
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import structlog
from msgspec import structs

from oca.common import clock
from oca.common.errors import ConfigError, OcaError
from oca.common.jwk import SigningPolicy
from oca.common.log import configure_logging
from oca.common.messages import Load
from oca.common.quality import Quality
from oca.common.signing import Claims, sign
from oca.delivery import process as processes
from oca.delivery import share_out as share_out_module
from oca.delivery import supervisor as module
from oca.delivery.authorisation import Authorisation
from oca.delivery.counters import Page
from oca.delivery.miss_settings import OverloadTable
from oca.delivery.pacing_settings import CmcdTable, CmsdTable, PacingTable
from oca.delivery.reads_settings import ReadsTable
from oca.delivery.settings import DeliveryTable
from oca.delivery.supervisor import Supervisor
from oca.store.store import Store
from tests.unit.common.signing_keys import ES, ring
from tests.unit.delivery.bench import CONTENT, LARGE_BYTES, read_reply
from tests.unit.delivery.hanging import make_cold
from tests.unit.store.made_up import hold, make_contents
from tests.waiting import WAIT_S, until

GET = b"GET /h/%b HTTP/1.1\r\nHost: a\r\n\r\n"
HINDERED = """
import pathlib, time
from oca.delivery import device_read
def hindered(read):
    def wait(*range):
        while pathlib.Path({hangs!r}).exists():
            time.sleep(0.01)
        return read(*range)
    return wait
device_read.read_in, device_read.read_anew = hindered(device_read.read_in), hindered(device_read.read_anew)
"""
"""A worker process whose device hangs for as long as a file is there."""


async def connect(url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, port = url.removeprefix("http://").split(":")
    return await asyncio.open_connection(host, int(port))


async def fetch(url: str, name: bytes) -> tuple[int, bytes]:
    reader, writer = await connect(url)
    writer.write(GET % name)
    status, _, body = await read_reply(reader)
    writer.close()
    await writer.wait_closed()
    return status, body


@pytest.fixture
async def running(device: Path) -> AsyncIterator[Supervisor]:
    supervisor = Supervisor(DeliveryTable(listen=("127.0.0.1:0",), workers=2), [device], appliance="fra1-a")
    await supervisor.start()
    yield supervisor
    await supervisor.stop(0)


class FullDisk(io.StringIO):
    """Where the log goes when there is no room for it."""

    def write(self, text: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


def refused(supervisor: Supervisor) -> int:
    """Connections reset at once, for whatever limit: descriptors are shared with what the worker opens for itself."""
    return sum(count for key, count in supervisor.counters().items() if key.startswith("delivery_connections_refused:"))


def gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


async def test_supervisor_serves_and_gathers_counts_and_demand(running: Supervisor) -> None:
    (url,) = running.urls
    for _ in range(4):
        assert await fetch(url, b"small.m3u8") == (200, CONTENT["small.m3u8"])
    await until(lambda: running.counters()["delivery_responses:200"] == 4)
    # The client may have the bytes before the worker has counted them.
    await until(lambda: running.counters()["delivery_sent_bytes"] == 4 * 128)
    demand = {"harbour/v": (0, 0)}
    async with asyncio.timeout(WAIT_S):
        while demand["harbour/v"][0] < 4:
            await asyncio.sleep(0.05)
            for asset, (requests, sent_bytes) in running.take_demand().assets.items():
                demand[asset] = (demand[asset][0] + requests, demand[asset][1] + sent_bytes)
    assert demand == {"harbour/v": (4, 512)}
    assert [state.restarts for state in running.workers()] == [0, 0]
    assert all(state.ready for state in running.workers())


async def test_supervisor_does_else_while_workers_load_and_ends_them_where_that_fails(device: Path) -> None:
    supervisor = Supervisor(DeliveryTable(listen=("127.0.0.1:0",), workers=1), [device], appliance="fra1-a")
    seen = []

    async def fail() -> None:
        seen.extend(supervisor.workers())
        raise OcaError("something else is taken", remedy="free it")

    with pytest.raises(OcaError, match="something else is taken"):
        await supervisor.start(meanwhile=fail)
    assert [(state.pid > 0, state.ready) for state in seen] == [(True, False)]
    assert gone(seen[0].pid)


async def test_viewers_of_a_dead_worker_are_taken_by_another_before_its_successor_is_there(
    device: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BACKOFF_S_MIN", 60.0)
    supervisor = Supervisor(DeliveryTable(listen=("127.0.0.1:0",), workers=2), [device], appliance="fra1-a")
    await supervisor.start()
    try:
        first, second = supervisor.workers()
        os.kill(first.pid, signal.SIGKILL)
        asked = [asyncio.ensure_future(fetch(supervisor.urls[0], b"small.m3u8")) for _ in range(40)]
        async with asyncio.timeout(WAIT_S):  # they are in either one's queue, some before it is known that one is dead
            assert {status for status, _ in await asyncio.gather(*asked)} == {200}
        after_first, after_second = supervisor.workers()
        assert (after_first.ready, after_second.pid) == (False, second.pid)
    finally:
        await supervisor.stop(0)


async def test_supervisor_gathers_quality_and_paces_in_its_workers(device: Path) -> None:
    pacing = PacingTable(mode="cmcd", burst_bytes=0, congestion="reno")
    settings = DeliveryTable(listen=("127.0.0.1:0",), workers=2, cmcd=CmcdTable(quality=True), pacing=pacing)
    supervisor = Supervisor(settings, [device], appliance="fra1-a")
    await supervisor.start()
    try:
        for _ in range(4):
            await fetch(supervisor.urls[0], b"small.m3u8?CMCD=bs%2Cbr%3D3000%2Crtp%3D9000")
        async with asyncio.timeout(WAIT_S):
            while not (rows := supervisor.quality()) or rows[0].requests < 4:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.05)
        assert rows == [Quality("harbour/v", "127.0.0.0/24", 4, 4, bitrate_kbits_per_s=12_000, bitrate_told=4)]
        counters = supervisor.counters()
        assert (counters["delivery_quality_starved"], counters["delivery_pace_changes"]) == (4, 0)
        assert counters["delivery_listeners:reno"] == 2
    finally:
        await supervisor.stop(0)


async def test_supervisor_knows_while_a_device_does_not_answer_the_reads_of_a_worker(
    device: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hangs = tmp_path / "hangs"
    hangs.touch()
    (tmp_path / "sitecustomize.py").write_text(HINDERED.format(hangs=str(hangs)))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    settings = DeliveryTable(listen=("127.0.0.1:0",), workers=1, reads=ReadsTable(timeout_s=0.05))
    supervisor = Supervisor(settings, [device], appliance="fra1-a")
    await supervisor.start()
    try:
        assert supervisor.workers()[0].sick == []
        make_cold(device)
        assert (await fetch(supervisor.urls[0], b"small.m3u8"))[0] == 404
        await until(lambda: supervisor.workers()[0].sick == [0])
        hangs.unlink()
        await until(lambda: supervisor.workers()[0].sick == [])
    finally:
        hangs.unlink(missing_ok=True)
        await supervisor.stop(0)


FAILING = """
import errno, os
from oca.delivery import device_read
def fail(*range):
    raise OSError(errno.EIO, os.strerror(errno.EIO))
device_read.read_in = device_read.read_anew = fail
"""


async def test_supervisor_hears_of_failed_reads_and_has_device_left_out_by_later_workers_too(
    device: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text(FAILING)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    supervisor = Supervisor(DeliveryTable(listen=("127.0.0.1:0",), workers=1), [device], appliance="fra1-a")
    await supervisor.start()
    try:
        url = supervisor.urls[0]
        make_cold(device)
        assert (await fetch(url, b"small.m3u8"))[0] == 404
        await until(lambda: bool(supervisor._failed))
        assert supervisor.take_failed() == [(0, "harbour/v", "its device fails")]
        supervisor.leave_out({0: False})
        misses = supervisor.counters()["delivery_misses:content"]
        async with asyncio.timeout(WAIT_S):
            while supervisor.counters()["delivery_misses:content"] == misses:
                await fetch(url, b"large.m4s")
        os.kill(supervisor.workers()[0].pid, signal.SIGKILL)
        await until(lambda: supervisor.workers()[0].restarts == 1 and supervisor.workers()[0].ready)
        assert (await fetch(url, b"small.m3u8"))[0] == 404
        supervisor.leave_out({})
        async with asyncio.timeout(WAIT_S):
            while supervisor.counters()["delivery_probes:device"] < 2:  # it asks the device again
                await fetch(url, b"small.m3u8")
    finally:
        await supervisor.stop(0)


async def test_supervisor_has_players_told_to_step_down_by_new_workers_too(device: Path) -> None:
    cmsd = CmsdTable(enabled=True, shed_from_ratio=0.5, shed_highest_mbits_per_s=8, shed_lowest_mbits_per_s=2)
    settings = DeliveryTable(listen=("127.0.0.1:0",), workers=1, cmsd=cmsd)
    supervisor = Supervisor(settings, [device], appliance="fra1-a")
    await supervisor.start()

    async def told() -> str:
        reader, writer = await connect(supervisor.urls[0])
        writer.write(GET % b"small.m3u8")
        _, fields, _ = await read_reply(reader)
        writer.close()
        return fields["CMSD-Dynamic"]

    async def told_at_last(wanted: str) -> None:
        async with asyncio.timeout(WAIT_S):
            while wanted not in await told():  # noqa: ASYNC110 - only an answer tells
                await asyncio.sleep(0.02)

    try:
        assert ";mb=" not in await told()
        supervisor.advise(Load(connections=1, sent_bytes_per_s=75, link_bytes_per_s=100, cpu_ratio=0))
        assert supervisor.counters()["delivery_advised_bytes_per_second"] == 4000
        await told_at_last('"fra1-a";du;mb=4000;rtt=')
        os.kill(supervisor.workers()[0].pid, signal.SIGKILL)
        await until(lambda: supervisor.workers()[0].restarts == 1 and supervisor.workers()[0].ready)
        assert '"fra1-a";du;mb=4000;rtt=' in await told()
        supervisor.advise(Load(connections=1, sent_bytes_per_s=10, link_bytes_per_s=100, cpu_ratio=0))
        await told_at_last('"fra1-a";rtt=')
    finally:
        await supervisor.stop(0)


async def test_supervisor_replaces_killed_worker_and_keeps_its_counts(running: Supervisor) -> None:
    (url,) = running.urls
    await fetch(url, b"small.m3u8")
    killed = [state.pid for state in running.workers()]
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
    # The queue of a dead worker's socket stays open: the connection waits for the replacement, it is not refused.
    assert await fetch(url, b"small.m3u8") == (200, CONTENT["small.m3u8"])
    await until(lambda: all(state.restarts == 1 and state.ready for state in running.workers()))
    assert {state.why for state in running.workers()} == {"ended by SIGKILL"}
    assert not {state.pid for state in running.workers()} & set(killed)
    assert running.counters()["delivery_responses:200"] == 2


async def test_supervisor_starts_worker_as_soon_as_there_is_memory_for_it(
    running: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    create, refused = Page.create, list[int]()

    def short_of_memory() -> Page:
        if len(refused) < 2:
            refused.append(errno.ENOMEM)
            raise OSError(errno.ENOMEM, "Cannot allocate memory")
        return create()

    monkeypatch.setattr(Page, "create", short_of_memory)
    killed = running.workers()[0].pid
    os.kill(killed, signal.SIGKILL)
    await until(lambda: running.workers()[0].pid != killed and running.workers()[0].ready)
    assert len(refused) == 2
    refused.clear()
    with pytest.raises(OcaError, match="no delivery worker can be started: Cannot allocate memory"):
        await running.reload(
            DeliveryTable(listen=("127.0.0.1:0",), workers=2, fields_max=65), log_level="info", log_format="auto"
        )
    assert await fetch(running.urls[0], b"small.m3u8") == (200, CONTENT["small.m3u8"])


async def test_supervisor_tells_workers_whom_to_turn_away(running: Supervisor) -> None:
    (url,) = running.urls
    reader, writer = await connect(url)
    writer.write(GET % b"small.m3u8")
    assert (await read_reply(reader))[0] == 200
    running.turn_away("too-many")
    await until_answered(url, 429)
    status = 200
    while status == 200:  # a drained box serves nobody, whoever came before; each worker hears of it by itself
        writer.write(GET % b"small.m3u8")
        status = (await read_reply(reader))[0]
    assert status == 429
    writer.close()
    for state in running.workers():
        os.kill(state.pid, signal.SIGKILL)
    await until(lambda: all(state.restarts == 1 and state.ready for state in running.workers()))
    assert (await fetch(url, b"small.m3u8"))[0] == 429
    running.turn_away(None)
    await until_answered(url, 200)


async def test_supervisor_turns_new_viewers_away_while_box_sends_too_much(
    device: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOAD_INTERVAL_S", 0.02)
    limits = DeliveryTable(listen=("127.0.0.1:0",), workers=1, overload=OverloadTable(sends_max=1))
    supervisor = Supervisor(limits, [device], appliance="fra1-a")
    await supervisor.start()
    (url,) = supervisor.urls
    slow = [await connect(url) for _ in range(2)]
    for _, writer in slow:
        writer.write(GET % b"large.m4s")
    await until_answered(url, 429)
    for reader, writer in slow:
        assert len((await read_reply(reader))[2]) == LARGE_BYTES
        writer.close()
    await until_answered(url, 200)
    await supervisor.stop(0)
    assert supervisor.counters()["delivery_turned_away:overload"] > 0


async def until_answered(url: str, status: int) -> None:
    """Ask for the small object on new connections until it gets ``status``."""
    async with asyncio.timeout(WAIT_S):
        while (await fetch(url, b"small.m3u8"))[0] != status:  # noqa: ASYNC110 - another process answers
            await asyncio.sleep(0.02)


async def test_supervisor_kills_worker_that_hangs(device: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "SILENCE_S_MAX", 2.5)
    supervisor = Supervisor(DeliveryTable(listen=("127.0.0.1:0",), workers=1), [device], appliance="fra1-a")
    await supervisor.start()
    os.kill(supervisor.workers()[0].pid, signal.SIGSTOP)
    await until(lambda: supervisor.workers()[0].restarts == 1)
    assert supervisor.workers()[0].why == "silent for 2 s"
    await supervisor.stop(0)


async def test_supervisor_spares_worker_that_spoke_while_it_stood_still(
    device: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "SILENCE_S_MAX", 4.0)  # it ticks each second, and may be late
    supervisor = Supervisor(DeliveryTable(listen=("127.0.0.1:0",), workers=1), [device], appliance="fra1-a")
    await supervisor.start()
    (before,) = supervisor.workers()
    time.sleep(4.5)  # noqa: ASYNC251 - as a frozen or swapping machine does: nothing of ours runs
    (url,) = supervisor.urls
    for _ in range(20):
        assert await fetch(url, b"small.m3u8") == (200, CONTENT["small.m3u8"])
        await asyncio.sleep(0.1)
    assert supervisor.workers() == [before]
    await supervisor.stop(0)


@pytest.mark.parametrize("deadly", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR2])
async def test_supervisor_alone_ends_workers(running: Supervisor, deadly: signal.Signals) -> None:
    before = running.workers()
    for state in before:
        os.kill(state.pid, deadly)
    for _ in range(4):
        assert await fetch(running.urls[0], b"small.m3u8") == (200, CONTENT["small.m3u8"])
    assert running.workers() == before


async def test_supervisor_restarts_workers_when_nothing_can_be_logged(
    running: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", FullDisk())
    configure_logging(style="json")
    for state in running.workers():
        os.kill(state.pid, signal.SIGKILL)
    await until(lambda: all(state.restarts == 1 and state.ready for state in running.workers()))
    monkeypatch.undo()
    configure_logging()


async def test_supervisor_finishes_what_is_being_sent_before_it_stops(device: Path) -> None:
    supervisor = Supervisor(DeliveryTable(listen=("127.0.0.1:0",), workers=1), [device], appliance="fra1-a")
    await supervisor.start()
    (url,), (state,) = supervisor.urls, supervisor.workers()
    reader, writer = await connect(url)
    writer.write(GET % b"large.m4s")
    await until(lambda: supervisor.counters()["delivery_sends"] == 1)
    stopping = asyncio.get_running_loop().create_task(supervisor.stop(20))
    with pytest.raises(ConnectionRefusedError):
        await fetch_until_refused(url)
    status, _, body = await read_reply(reader)
    assert (status, len(body)) == (200, LARGE_BYTES)
    writer.close()
    await stopping
    assert gone(state.pid)
    assert supervisor.counters()["delivery_sends_cut:drain"] == 0


async def hold_open(url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection that has had an answer and rests."""
    reader, writer = await connect(url)
    writer.write(GET % b"small.m3u8")
    assert (await read_reply(reader))[0] == 200
    return reader, writer


async def test_supervisor_closes_idle_connections_when_it_stops(device: Path) -> None:
    supervisor = Supervisor(DeliveryTable(listen=("127.0.0.1:0",), workers=1), [device], appliance="fra1-a")
    await supervisor.start()
    reader, writer = await hold_open(supervisor.urls[0])
    stopping = asyncio.get_running_loop().create_task(supervisor.stop(20))
    async with asyncio.timeout(WAIT_S):
        assert await reader.read() == b""
        writer.close()
        await stopping


async def test_supervisor_hands_over_to_worker_with_changed_settings(running: Supervisor) -> None:
    before = running.workers()
    (url,) = running.urls
    idle = await hold_open(url)
    reader, writer = await connect(url)
    writer.write(GET % b"large.m4s")
    await until(lambda: running.counters()["delivery_sends"] == 1)
    changed = structs.replace(running._settings, target_bytes_max=512, drain_s=20)
    assert await running.reload(changed, log_level="info", log_format="auto") == []
    after = running.workers()
    assert not {state.pid for state in before} & {state.pid for state in after}
    assert all(state.ready and not state.restarts for state in after)
    assert (await fetch(url, b"x" * 600))[0] == 414
    status, fields, body = await read_reply(reader)
    assert (status, len(body), fields.get("Connection")) == (200, LARGE_BYTES, None)
    for one in (idle, (reader, writer)):  # the old workers' own: each ends with its next answer
        one[1].write(GET % b"small.m3u8")
        status, fields, body = await read_reply(one[0])
        assert (status, fields["Connection"], body) == (200, "close", CONTENT["small.m3u8"])
        assert await one[0].read() == b""
        one[1].close()
    await until(lambda: all(gone(state.pid) for state in before))
    assert running.counters()["delivery_sends_cut:drain"] == 0


async def test_supervisor_bounds_how_long_replaced_worker_may_stay(running: Supervisor) -> None:
    before = running.workers()
    reader, writer = await hold_open(running.urls[0])
    changed = structs.replace(running._settings, target_bytes_max=512, drain_s=0.5)
    await running.reload(changed, log_level="info", log_format="auto")
    async with asyncio.timeout(WAIT_S):
        assert await reader.read() == b""
    await until(lambda: all(gone(state.pid) for state in before))
    writer.close()


class Interpreters:
    """Stands in for the module ``sys``: a path for each process to come."""

    def __init__(self, *paths: str) -> None:
        self._paths = iter(paths)

    @property
    def executable(self) -> str:
        return next(self._paths)


async def test_supervisor_keeps_workers_when_new_ones_do_not_start(
    running: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, settings = running.workers(), running._settings
    monkeypatch.setattr(processes, "sys", Interpreters(sys.executable, "/bin/false", sys.executable))
    with pytest.raises(OcaError, match="ended with status 1"):
        await running.reload(structs.replace(settings, target_bytes_max=512), log_level="info", log_format="auto")
    assert running._settings == settings
    assert [state.ready for state in running.workers()] == [True, True]
    assert running.workers()[1] == before[1]
    for _ in range(8):
        assert (await fetch(running.urls[0], b"x" * 600))[0] == 404


async def test_supervisor_reloads_files_without_new_workers(running: Supervisor) -> None:
    before = running.workers()
    reader, writer = await hold_open(running.urls[0])
    changed = structs.replace(running._settings, urls=("http://seg.example",), drain_s=7)
    assert await running.reload(changed, log_level="debug", log_format="json") == []
    assert (running.urls, running.workers()) == (("http://seg.example",), before)
    writer.write(GET % b"small.m3u8")
    assert (await read_reply(reader))[1].get("Connection") is None
    writer.close()


async def fetch_until_refused(url: str) -> None:
    async with asyncio.timeout(WAIT_S):
        while True:
            _, writer = await connect(url)
            writer.transport.abort()
            await asyncio.sleep(0.01)


async def test_supervisor_cuts_what_outlasts_the_drain(device: Path) -> None:
    supervisor = Supervisor(DeliveryTable(listen=("127.0.0.1:0",), workers=1), [device], appliance="fra1-a")
    await supervisor.start()
    reader, writer = await connect(supervisor.urls[0])
    writer.write(GET % b"large.m4s")
    await until(lambda: supervisor.counters()["delivery_sends"] == 1)
    await supervisor.stop(0.2)
    assert supervisor.counters()["delivery_sends_cut:drain"] == 1
    with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
        await read_reply(reader)
    writer.close()


async def test_supervisor_serves_every_asset_and_refuses_viewers_where_descriptors_are_few(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Regression: with 256 descriptors and 300 assets, held objects were 404 and further connections hung."""
    store = Store.open([tmp_path])
    assets = [f"harbour/v{number}" for number in range(100)]
    for asset in assets:
        hold(store, asset, objects=1)
    store.close()
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    monkeypatch.setattr(share_out_module, "raise_limit", lambda: 144)
    supervisor = Supervisor(DeliveryTable(listen=("127.0.0.1:0",), workers=1), [tmp_path], appliance="fra1-a")
    with structlog.testing.capture_logs() as said:
        await supervisor.start()
    (line,) = [line for line in said if "descriptors" in line["event"]]
    assert (line["connections_max"], line["packs_max"], line["log_level"]) == (60, 20, "warning")
    assert "LimitNOFILE" in line["remedy"]
    resource.prlimit(supervisor.workers()[0].pid, resource.RLIMIT_NOFILE, (144, before[1]))
    (url,) = supervisor.urls
    writers = []
    try:
        for _ in range(70):  # beyond the 60 they are reset, at once or while they are being made
            with contextlib.suppress(ConnectionResetError):
                writers.append((await connect(url))[1])
        await until(lambda: refused(supervisor) == 10)
        assert supervisor.counters()["delivery_connections"] == 60
        writers.pop(0).close()
        await until(lambda: supervisor.counters()["delivery_connections"] == 59)
        reader, writer = await connect(url)
        writers.append(writer)
        for asset in assets:
            ((path, body),) = make_contents(asset, objects=1).items()
            writer.write(b"GET %b HTTP/1.1\r\nHost: a\r\n\r\n" % path.encode())
            status, _, sent = await read_reply(reader)
            assert (status, sent) == (200, body)
    finally:
        for each in writers:
            each.transport.abort()
        await supervisor.stop(0)


async def test_supervisor_refuses_port_that_another_holds(running: Supervisor, device: Path) -> None:
    address = running.urls[0].removeprefix("http://")
    second = Supervisor(DeliveryTable(listen=(address,), workers=1), [device], appliance="fra1-b")
    with pytest.raises(ConfigError, match="already in use"):
        await second.start()
    assert second.workers() == []


async def test_supervisor_says_why_no_worker_starts(device: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    supervisor = Supervisor(DeliveryTable(listen=("127.0.0.1:0",), workers=1), [device], appliance="fra1-a")
    with pytest.raises(OcaError, match="ended with status 1"):
        await supervisor.start()


async def test_worker_ends_when_its_supervisor_dies(device: Path) -> None:
    supervisor = Supervisor(DeliveryTable(listen=("127.0.0.1:0",), workers=1), [device], appliance="fra1-a")
    await supervisor.start()
    (process,) = supervisor._processes
    assert process._down is not None
    supervisor._stopping.set()
    process._down.close()
    await until(process.ended.is_set)
    assert process.why == "ended with status 0"
    await supervisor.stop(0)


async def test_worker_ends_when_its_supervisor_is_killed_with_lines_unread(device: Path) -> None:
    supervisor = Supervisor(DeliveryTable(listen=("127.0.0.1:0",), workers=1), [device], appliance="fra1-a")
    await supervisor.start()
    (process,) = supervisor._processes
    assert process._down is not None
    supervisor._stopping.set()
    pair = process._down.transport.get_extra_info("socket")
    process._down.transport.pause_reading()  # type: ignore[attr-defined]
    await until(lambda: bool(select.select([pair.fileno()], [], [], 0)[0]))
    process._down.transport.abort()
    async with asyncio.timeout(WAIT_S):
        await process.ended.wait()
    assert process.why == "ended with status 0"
    await supervisor.stop(0)


async def test_supervisor_hands_keys_of_signed_urls_to_workers_and_to_their_successors(running: Supervisor) -> None:
    (url,) = running.urls
    policy = SigningPolicy(revision="0" * 32, enforce="required", issuer="s", path_element="t", keys=[ES.public()])
    token = sign(Claims(cdniuc="regex:/h/.*", iss="s", exp=clock.now_s() + 60), ring(ES).signing["es"]).encode()
    signed = b"/t/%b/h/small.m3u8" % token

    async def asked(path: bytes) -> int:
        reader, writer = await connect(url)
        writer.write(b"GET %b HTTP/1.1\r\nHost: a\r\n\r\n" % path)
        status, _, _ = await read_reply(reader)
        writer.close()
        await writer.wait_closed()
        return status

    async def answers(path: bytes) -> set[int]:
        """Of both workers, most probably: the kernel spreads connections over them."""
        return {await asked(path) for _ in range(12)}

    assert await answers(b"/h/small.m3u8") == {200}
    running.authorise(Authorisation(policy=policy))
    async with asyncio.timeout(WAIT_S):
        while await answers(b"/h/small.m3u8") != {403}:  # noqa: ASYNC110 - a worker has no event to wait on
            await asyncio.sleep(0.05)
    assert await answers(signed) == {200}
    for worker in running.workers():
        os.kill(worker.pid, signal.SIGKILL)
    await until(lambda: all(worker.ready and worker.restarts for worker in running.workers()))
    assert (await answers(b"/h/small.m3u8"), await answers(signed)) == ({403}, {200})
    running.authorise(Authorisation())
    async with asyncio.timeout(WAIT_S):
        while await answers(b"/h/small.m3u8") != {200}:  # noqa: ASYNC110 - a worker has no event to wait on
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("pinned", [False, True])
async def test_supervisor_pins_workers_to_cores_it_may_use(device: Path, pinned: bool) -> None:
    settings = DeliveryTable(listen=("127.0.0.1:0",), workers=2, pin_workers=pinned)
    supervisor = Supervisor(settings, [device], appliance="fra1-a")
    await supervisor.start()
    ours = sorted(os.sched_getaffinity(0))
    theirs = [os.sched_getaffinity(state.pid) for state in supervisor.workers()]
    await supervisor.stop(0)
    assert theirs == ([{ours[number % len(ours)]} for number in range(2)] if pinned else [set(ours)] * 2)


async def test_supervisor_serves_queue_of_worker_that_died(device: Path) -> None:
    """What waits in the listening queue of a killed worker is its replacement's."""
    supervisor = Supervisor(DeliveryTable(listen=("127.0.0.1:0", "[::1]:0"), workers=1), [device], appliance="fra1-a")
    await supervisor.start()
    pid = supervisor.workers()[0].pid
    os.kill(pid, signal.SIGSTOP)  # so that nobody takes what comes
    ports = [int(url.rpartition(":")[2]) for url in supervisor.urls]
    waiting = [
        await asyncio.open_connection(host, port)
        for _ in range(20)
        for host, port in zip(("127.0.0.1", "::1"), ports, strict=True)
    ]
    for _, writer in waiting:
        writer.write(GET % b"small.m3u8")
    os.kill(pid, signal.SIGKILL)
    for reader, writer in waiting:
        status, _, body = await read_reply(reader)
        assert (status, body) == (200, CONTENT["small.m3u8"])
        writer.close()
    assert supervisor.workers()[0].restarts == 1
    await supervisor.stop(0)


def test_backoff_leaves_no_viewer_waiting_for_long() -> None:
    assert module.BACKOFF_S_MIN <= module.BACKOFF_S_MAX <= 0.5
