import asyncio
import re
import socket

from oca.common.clock import monotonic_s
from oca.common.quality import Quality
from oca.delivery.cmsd import Advice
from oca.delivery.pacing_settings import CmcdTable, CmsdTable, PacingTable
from oca.delivery.players import SO_MAX_PACING_RATE, Players
from oca.delivery.session import Session
from oca.delivery.settings import DeliveryTable
from tests.unit.delivery.bench import Bench, Benches, read_reply
from tests.waiting import until

MBIT = 125_000
UNLIMITED = 2**32 - 1


def get(name: str, cmcd: str = "", *fields: str) -> bytes:
    lines = "".join(f"{field}\r\n" for field in fields)
    return f"GET /h/{name}{'?CMCD=' + cmcd if cmcd else ''} HTTP/1.1\r\nHost: a\r\n{lines}\r\n".encode()


def pace_of(bench: Bench) -> int:
    """What the kernel holds the one connection to, in bytes per second."""
    (session,) = bench.service.sessions
    assert isinstance(session, Session)
    return int(session._connection.getsockopt(socket.SOL_SOCKET, SO_MAX_PACING_RATE) & UNLIMITED)


async def ask(bench: Bench, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> int:
    writer.write(request)
    await read_reply(reader)
    return pace_of(bench)


async def test_players_cost_nothing_while_off(benches: Benches) -> None:
    bench = benches()
    assert bench.service.players is None
    reader, writer = await bench.connect()
    assert await ask(bench, reader, writer, get("small.m3u8", "rtp%3D8000")) == UNLIMITED
    assert bench.count("delivery_cmcd:read") == 0


async def test_players_pace_connection_as_player_asks(benches: Benches) -> None:
    bench = benches(pacing=PacingTable(mode="cmcd", burst_bytes=0))
    reader, writer = await bench.connect()
    assert await ask(bench, reader, writer, get("small.m3u8")) == UNLIMITED
    assert bench.count("delivery_paced_connections") == 0
    assert await ask(bench, reader, writer, get("small.m3u8", "rtp%3D8000")) == 8 * MBIT
    assert await ask(bench, reader, writer, get("small.m3u8", "rtp%3D8300")) == 8 * MBIT
    assert (bench.count("delivery_pace_changes"), bench.count("delivery_paced_connections")) == (1, 1)
    assert await ask(bench, reader, writer, get("small.m3u8", "rtp%3D8300%2Csu")) == UNLIMITED
    assert bench.count("delivery_paced_connections") == 0
    assert await ask(bench, reader, writer, get("small.m3u8", "", "CMCD-Status: rtp=4000")) == 4 * MBIT
    assert await ask(bench, reader, writer, get("small.m3u8", "%22")) == 4 * MBIT
    assert (bench.count("delivery_cmcd:read"), bench.count("delivery_cmcd:malformed")) == (4, 1)
    writer.close()
    await until(lambda: bench.count("delivery_connections") == 0)
    assert bench.count("delivery_paced_connections") == 0


async def test_players_let_connection_burst_first_and_fill_agents_always(benches: Benches) -> None:
    bench = benches(pacing=PacingTable(mode="always", default_mbits_per_s=800, burst_bytes=100))
    reader, writer = await bench.connect()
    assert await ask(bench, reader, writer, get("large.m4s", "", "Range: bytes=0-9")) == UNLIMITED
    assert await ask(bench, reader, writer, get("small.m3u8")) == UNLIMITED
    assert await ask(bench, reader, writer, get("small.m3u8", "", "User-Agent: oca-fill/1")) == UNLIMITED
    assert await ask(bench, reader, writer, get("small.m3u8")) == 800 * MBIT


async def test_players_hold_transfer_to_its_pace(benches: Benches) -> None:
    bench = benches(pacing=PacingTable(mode="cmcd", burst_bytes=0))
    reader, writer = await bench.connect()
    size = 3 * 2**20
    writer.write(get("large.m4s", "rtp%3D40000", f"Range: bytes=0-{size - 1}"))
    await reader.readuntil(b"\r\n\r\n")
    await reader.readexactly(size // 6)  # past the first flight, which TCP sends at once
    began_s = monotonic_s()
    await reader.readexactly(size - size // 6)
    took_s = monotonic_s() - began_s
    mbits_per_s = (size - size // 6) / MBIT / took_s
    assert mbits_per_s < 48, mbits_per_s
    writer.close()


async def test_players_tell_quality_of_asset_and_prefix_alone(benches: Benches) -> None:
    bench = benches(cmcd=CmcdTable(quality=True))
    reader, writer = await bench.connect()
    sid = "sid%3D%226e2fb550%22"
    for data in (f"br%3D3000%2Cmtp%3D9000%2C{sid}", f"bs%2Cbr%3D1000%2Cmtp%3D200000%2C{sid}", f"ot%3Dm%2C{sid}", "%22"):
        await ask(bench, reader, writer, get("small.m3u8", data))
    assert pace_of(bench) == UNLIMITED
    assert await ask(bench, reader, writer, get("none", "br%3D3000")) == UNLIMITED  # a miss is no quality of an asset
    players = bench.service.players
    assert players is not None
    assert players.take_quality() == [Quality("harbour/v", "127.0.0.0/24", 2, 1, 209_000, 2, 4000, 2)]
    counted = [bench.count(f"delivery_quality_{name}") for name in ("reports", "starved", "throughput:10")]
    assert (*counted, bench.count("delivery_quality_throughput:more")) == (2, 1, 1, 1)


async def test_players_are_told_path_and_advice(benches: Benches) -> None:
    bench = benches(cmsd=CmsdTable(enabled=True, refresh_s=1))
    reader, writer = await bench.connect()
    writer.write(get("small.m3u8"))
    _, fields, _ = await read_reply(reader)
    assert re.fullmatch('"oca";rtt=[0-9]+', fields["CMSD-Dynamic"])  # no throughput is known yet
    writer.write(get("large.m4s", "", "Range: bytes=0-2000000"))
    assert (await read_reply(reader))[1]["CMSD-Dynamic"] == fields["CMSD-Dynamic"]
    bench.service.advise(Advice(4000, is_short=True))
    bench.service.now_s += 1
    writer.write(get("none"))
    assert re.fullmatch('"oca";du;etp=[0-9]+00;mb=4000;rtt=[0-9]+', (await read_reply(reader))[1]["CMSD-Dynamic"])


async def test_players_are_told_nothing_while_off(benches: Benches) -> None:
    bench = benches(cmcd=CmcdTable(quality=True))
    reader, writer = await bench.connect()
    writer.write(get("small.m3u8"))
    assert "CMSD-Dynamic" not in (await read_reply(reader))[1]


def test_players_are_wanted_only_where_switched_on() -> None:
    counts = memoryview(bytearray(800)).cast("Q")
    assert Players.wanted(DeliveryTable(), counts, "a") is None
    for settings in (
        DeliveryTable(pacing=PacingTable(mode="always")),
        DeliveryTable(cmcd=CmcdTable(quality=True)),
        DeliveryTable(cmsd=CmsdTable(enabled=True)),
    ):
        assert Players.wanted(settings, counts, "a") is not None
