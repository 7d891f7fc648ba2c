"""A worker's service before devices that are slow, hang or fail."""

import asyncio
import socket
import struct
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from oca.common import clock, silence
from oca.common.silence import Standing
from oca.delivery.pacing_settings import CmcdTable
from oca.delivery.reads_settings import ReadsTable
from oca.store import files
from oca.store.store import Store
from tests.unit.delivery.bench import Bench, Benches, read_reply, store_of
from tests.unit.delivery.hanging import Sickbed, make_cold
from tests.unit.store.made_up import hold, make_contents
from tests.waiting import WAIT_S, until

HOT, COLD = b"hot segment " * 4096, b"cold segment" * 8192
GET = b"GET %b HTTP/1.1\r\nHost: a\r\n\r\n"
HANGS = {"timeout_s": 0.3}
"""Where a device hangs; elsewhere a read may take as long as it takes."""


@pytest.fixture
def devices(tmp_path: Path) -> tuple[Path, Path]:
    """One that is in memory, and one that is not."""
    made = []
    for name, data in (("hot", HOT), ("cold", COLD)):
        (tmp_path / name).mkdir()
        content = {f"{number}.m4s": data for number in range(4)}
        made.append(store_of(tmp_path / name, content, asset=f"{name}/v", mount=f"/{name}"))
    return made[0], made[1]


def open_bench(benches: Benches, devices: tuple[Path, Path], **reads: Any) -> Bench:
    table = ReadsTable(**{"timeout_s": WAIT_S, "ahead_bytes_max": 0, **reads})
    bench = benches(on=devices[0], more=devices[1:], reads=table)
    make_cold(devices[1])
    return bench


async def get(bench: Bench, path: str, *, source: str = "") -> tuple[int, bytes]:
    """Status and body of one request on a connection of its own."""
    reader, writer = await bench.connect(source=source)
    writer.write(GET % path.encode())
    status, _, body = await read_reply(reader)
    writer.close()
    return status, body


def reached(bench: Bench, key: str, count: int) -> bool:
    return bench.count(key) >= count


async def test_cold_object_is_read_and_then_hot(benches: Benches, devices: tuple[Path, Path]) -> None:
    bench = open_bench(benches, devices)
    for _ in range(2):
        assert await get(bench, "/cold/0.m4s") == (200, COLD)
    assert bench.count("delivery_probes:device") == 1
    assert bench.count("delivery_reads:ready") == 1
    assert bench.count("delivery_read_bytes") == len(COLD)
    assert bench.count("delivery_responses:200") == 2
    assert sum(bench.count(f"delivery_read_waits:{limit}") for limit in (1, 4, 16, 64, 256, 1024, "more")) == 1
    assert bench.service.demand.take() == [("cold/v", 2, 2 * len(COLD))]


async def test_part_that_is_in_memory_says_nothing_of_the_rest(benches: Benches, devices: tuple[Path, Path]) -> None:
    """Players look at the first two bytes of a file before they take it; the rest would hold the event loop up."""
    bench = open_bench(benches, devices)
    reader, writer = await bench.connect()
    writer.write(GET.replace(b"\r\n\r\n", b"\r\nRange: bytes=0-1\r\n\r\n") % b"/cold/0.m4s")
    assert (await read_reply(reader))[2] == COLD[:2]
    assert bench.count("delivery_probes:device") == 1
    assert bench.service.lookup.kept[b"/cold/0.m4s"].epoch < 0
    for _ in range(2):  # the second by the usual way
        writer.write(GET % b"/cold/0.m4s")
        assert (await read_reply(reader))[2] == COLD
    assert bench.count("delivery_probes:device") == 2
    writer.close()


async def test_cold_object_is_read_once_for_all_who_wait(
    benches: Benches, devices: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    sickbed = Sickbed(monkeypatch, devices[1])
    bench = open_bench(benches, devices, timeout_s=10)
    sickbed.turn("hang")
    asked = [asyncio.get_running_loop().create_task(get(bench, "/cold/0.m4s")) for _ in range(5)]
    await until(lambda: bench.count("delivery_reads_awaited") == 5)
    sickbed.turn("well")
    assert [await each for each in asked] == [(200, COLD)] * 5
    assert sickbed.begun == 1
    assert bench.count("delivery_read_bytes") == len(COLD)


async def test_next_objects_are_read_before_players_ask(benches: Benches, devices: tuple[Path, Path]) -> None:
    bench = open_bench(benches, devices, ahead_bytes_max=len(COLD))
    assert (await get(bench, "/cold/0.m4s"))[0] == 200
    for number in range(1, 4):
        await until(partial(reached, bench, "delivery_read_ahead_bytes", number * len(COLD)))
        assert await get(bench, f"/cold/{number}.m4s") == (200, COLD)
    assert bench.count("delivery_read_bytes") == len(COLD)
    assert bench.count("delivery_probes:device") == 1


async def test_player_that_takes_objects_in_a_row_has_many_read_at_a_time(
    benches: Benches, devices: tuple[Path, Path]
) -> None:
    bench = open_bench(benches, devices, ahead_bytes_max=2**20)
    assert (await get(bench, "/cold/0.m4s"))[0] == 200
    await until(lambda: bench.count("delivery_read_ahead_bytes") == len(COLD))
    assert (await get(bench, "/cold/1.m4s"))[0] == 200
    await until(lambda: bench.count("delivery_read_ahead_bytes") > 3 * len(COLD))  # both others, the table behind them
    read = bench.count("delivery_read_ahead_bytes")
    for number in (2, 3):
        assert await get(bench, f"/cold/{number}.m4s") == (200, COLD)
    assert bench.count("delivery_read_ahead_bytes") < read + len(COLD)  # the table again, perhaps
    assert bench.count("delivery_probes:device") == 1


@pytest.mark.parametrize(
    ("told", "read"), [("", len(COLD)), ("%2Cnrr%3D%224096-8191%22", 4096), ("%2Cnrr%3D%229999999-%22", 0)]
)
async def test_object_that_a_player_names_as_its_next_is_read_before_it_asks(
    benches: Benches, devices: tuple[Path, Path], told: str, read: int
) -> None:
    table = ReadsTable(timeout_s=WAIT_S, ahead_bytes_max=0)
    bench = benches(on=devices[0], more=devices[1:], reads=table, cmcd=CmcdTable(next_object=True))
    make_cold(devices[1])
    for unknown in ("nor%3D%22none%22", "nor%3D%22..%252F..%252F..%252Fx%22", "br%3D1", "nor%3D%22"):
        assert (await get(bench, f"/hot/0.m4s?CMCD={unknown}"))[0] == 200
    assert bench.count("delivery_read_ahead_bytes") == 0
    assert await get(bench, f"/hot/0.m4s?CMCD=nor%3D%22..%252Fcold%252F2.m4s%22{told}") == (200, HOT)
    if read:
        await until(lambda: bench.count("delivery_read_ahead_bytes") == read)
    before = bench.count("delivery_probes:device")
    assert await get(bench, "/cold/2.m4s") == (200, COLD)
    assert bench.count("delivery_probes:device") - before == (read != len(COLD))


async def test_hung_device_costs_only_its_own_requests(
    benches: Benches, devices: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    sickbed, late_s, now_s = Sickbed(monkeypatch, devices[1]), [0.0], clock.monotonic_s
    monkeypatch.setattr(clock, "monotonic_s", lambda: now_s() + late_s[0])
    bench = open_bench(benches, devices, threads=2)
    assert (await get(bench, "/cold/3.m4s"))[0] == 200
    sickbed.turn("hang")
    loop = asyncio.get_running_loop()
    hung = [loop.create_task(get(bench, f"/cold/{number}.m4s")) for number in (0, 1, 2, 0)]
    await until(lambda: sickbed.begun >= 2)
    # Hot objects of both devices go out while it hangs.
    for path, body in (("/hot/0.m4s", HOT), ("/cold/3.m4s", COLD)) * 3:
        assert await get(bench, path) == (200, body)
    assert not any(each.done() for each in hung)
    # Its own are answered after the time-out, before the head went out; so they move on without a lost connection.
    late_s[0] = WAIT_S
    bench.service.reads._expire()
    assert [status for status, _ in await asyncio.gather(*hung)] == [404] * 4
    assert bench.service.reads.sick() == [1]
    assert bench.count("delivery_devices_sick") == 1
    begun = sickbed.begun
    assert (await get(bench, "/cold/1.m4s"))[0] == 404
    assert sickbed.begun == begun, "nothing more is asked of a device that hangs"
    # It is tried by one read at a time, and taken back when that ends.
    await until(lambda: sickbed.begun == begun + 1)
    sickbed.turn("well")
    await until(lambda: not bench.service.reads.unwell)
    assert await get(bench, "/cold/1.m4s") == (200, COLD)
    assert bench.count("delivery_devices_sick") == 0
    assert bench.count("delivery_reads:sick") == bench.count("delivery_misses:health") == 5


async def test_device_whose_reads_get_no_processor_is_not_said_to_hang(
    benches: Benches, devices: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    sickbed = Sickbed(monkeypatch, devices[1])
    bench = open_bench(benches, devices, **HANGS)
    sickbed.turn("hang")
    starved = True
    monkeypatch.setattr(silence, "standing_of", lambda _: Standing(runnable=starved, processor_s=0.0))
    assert (await get(bench, "/cold/0.m4s"))[0] == 404, "its viewer does not wait longer for that"
    assert bench.count("delivery_devices_sick") == 1
    assert bench.service.reads.sick() == []
    starved = False
    assert bench.service.reads.sick() == [1]
    sickbed.turn("well")


async def test_no_pack_is_opened_on_hung_device(
    benches: Benches, devices: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """To open one is done on the event loop, which would wait for the device with all viewers."""
    store = Store.open([devices[1]])
    hold(store, "other/v")
    store.close()
    path, body = next(iter(make_contents("other/v").items()))
    sickbed = Sickbed(monkeypatch, devices[1])
    bench = open_bench(benches, devices, **HANGS)
    opened: list[Path] = []
    open_read = files.open_read

    def spied(pack: Path) -> int | None:
        opened.append(pack)
        return open_read(pack)

    monkeypatch.setattr(files, "open_read", spied)
    sickbed.turn("hang")
    assert (await get(bench, "/cold/0.m4s"))[0] == 404
    assert bench.service.reads.sick() == [1]
    opened.clear()
    assert (await get(bench, path))[0] == 404
    assert (bench.count("delivery_misses:health"), opened) == (2, [])
    sickbed.turn("well")
    await until(lambda: not bench.service.reads.unwell)
    assert await get(bench, path) == (200, body)


async def test_viewer_goes_on_from_hung_device_to_one_that_nobody_read_before(
    benches: Benches, devices: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    sickbed = Sickbed(monkeypatch, devices[1])
    bench = open_bench(benches, devices, **HANGS)
    make_cold(devices[0])
    faults: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, fault: faults.append(fault))
    sickbed.turn("hang")
    reader, writer = await bench.connect()
    writer.write(GET % b"/cold/0.m4s" + GET % b"/hot/0.m4s")
    assert [(await read_reply(reader))[0] for _ in range(2)] == [404, 200]
    sickbed.turn("well")
    assert bench.count("delivery_reads:ready") == 1
    assert not faults


async def test_failing_device_is_answered_404_and_its_asset_passed_over(
    benches: Benches, devices: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    sickbed = Sickbed(monkeypatch, devices[1])
    bench = open_bench(benches, devices)
    sickbed.turn("fail")
    assert (await get(bench, "/cold/0.m4s"))[0] == 404
    assert (await get(bench, "/cold/1.m4s"))[0] == 404
    assert bench.count("delivery_reads:failed") == sickbed.begun == 1
    assert bench.service.reads.sick() == []
    assert (await get(bench, "/hot/0.m4s"))[0] == 200


async def test_queue_of_device_is_bounded(
    benches: Benches, devices: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    sickbed = Sickbed(monkeypatch, devices[1])
    bench = open_bench(benches, devices, threads=1, queue_max=1, timeout_s=10)
    sickbed.turn("hang")
    loop = asyncio.get_running_loop()
    waiting = []
    for number in (0, 1):
        waiting.append(loop.create_task(get(bench, f"/cold/{number}.m4s")))
        await until(partial(reached, bench, "delivery_reads_awaited", number + 1))
    assert (await get(bench, "/cold/2.m4s"))[0] == 429
    sickbed.turn("well")
    assert [await each for each in waiting] == [(200, COLD)] * 2
    assert bench.count("delivery_reads:overloaded") == 1


async def test_full_queue_of_device_has_a_place_for_another_client(
    benches: Benches, devices: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    sickbed = Sickbed(monkeypatch, devices[1])
    bench = open_bench(benches, devices, threads=1, queue_max=2, timeout_s=10)
    sickbed.turn("hang")
    loop = asyncio.get_running_loop()
    waiting = []
    for number in (0, 1, 2):
        waiting.append(loop.create_task(get(bench, f"/cold/{number}.m4s", source="127.0.0.2")))
        await until(partial(reached, bench, "delivery_reads_awaited", number + 1))
    other = loop.create_task(get(bench, "/cold/3.m4s", source="127.0.0.3"))
    assert (await waiting.pop())[0] == 429
    assert (await get(bench, "/cold/2.m4s", source="127.0.0.2"))[0] == 429
    sickbed.turn("well")
    assert [await each for each in (*waiting, other)] == [(200, COLD)] * 3


async def test_viewer_who_leaves_amid_a_read_leaves_nothing_behind(
    benches: Benches, devices: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    sickbed = Sickbed(monkeypatch, devices[1])
    bench = open_bench(benches, devices, timeout_s=10)
    sickbed.turn("hang")
    _, writer = await bench.connect()
    writer.write(GET % b"/cold/0.m4s")
    await until(lambda: sickbed.begun == 1)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
    await until(lambda: bench.count("delivery_connections") == 0)
    assert bench.count("delivery_reads_awaited") == 0
    sickbed.turn("well")
    assert await get(bench, "/cold/0.m4s") == (200, COLD)


async def test_drain_waits_for_what_is_read_first(
    benches: Benches, devices: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    sickbed = Sickbed(monkeypatch, devices[1])
    bench = open_bench(benches, devices, timeout_s=10)
    sickbed.turn("hang")
    asked = asyncio.get_running_loop().create_task(get(bench, "/cold/0.m4s"))
    await until(lambda: sickbed.begun == 1)
    draining = asyncio.get_running_loop().create_task(bench.service.drain())
    await until(lambda: all(session._closing for session in bench.service.sessions))  # type: ignore[attr-defined]
    sickbed.turn("well")
    assert await asked == (200, COLD)
    await draining


async def test_each_of_several_ranges_is_read_before_the_answer(benches: Benches, devices: tuple[Path, Path]) -> None:
    bench = open_bench(benches, devices)
    reader, writer = await bench.connect()
    asked = ((90_000, 10), (0, 10), (45_000, 10))
    ranges = ", ".join(f"{first}-{first + length - 1}" for first, length in asked)
    writer.write(GET.replace(b"\r\n\r\n", b"\r\nRange: bytes=%b\r\n\r\n" % ranges.encode()) % b"/cold/0.m4s")
    status, fields, body = await read_reply(reader)
    assert (status, fields["Content-Type"].partition(";")[0]) == (206, "multipart/byteranges")
    assert all(b"\r\n\r\n" + COLD[first : first + length] + b"\r\n" in body for first, length in asked)
    assert bench.count("delivery_probes:device") == bench.count("delivery_reads:ready") == 3
    writer.close()
