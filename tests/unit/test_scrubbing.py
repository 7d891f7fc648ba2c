import asyncio
from contextlib import closing
from pathlib import Path

import pytest
import structlog

from oca.common.box import ScrubTable, StoreTable
from oca.common.tasks import Tasks
from oca.scrubbing import Scrubbing
from oca.store.scrub_messages import Found, Trouble, line
from oca.store.store import Store
from tests.unit.store.made_up import flip_byte, hold
from tests.waiting import WAIT_S, until


@pytest.fixture
def table(tmp_path: Path) -> StoreTable:
    with closing(Store.open([tmp_path])) as store:
        hold(store, "film/good")
        hold(store, "film/bad")
    flip_byte(tmp_path / "packs" / "00000002.pack", 5000)
    return StoreTable(devices=(str(tmp_path),), scrub=ScrubTable(rate_bytes_per_s=10**9))


async def test_scrubbing_finds_bad_pack_counts_and_logs_it(table: StoreTable) -> None:
    blamed: list[tuple[int, str, str]] = []
    scrubbing = Scrubbing(table, lambda *told: blamed.append(told))
    assert scrubbing.is_on
    tasks = Tasks()
    with structlog.testing.capture_logs() as logs:
        tasks.start(scrubbing.run(), name="scrub")
        scrubbing.leave_out([])
        await until(lambda: scrubbing.counters()["scrub_pass_end_seconds"] > 0)
        scrubbing.suspect(0, "film/good")
        await until(lambda: scrubbing.counters()["scrub_packs"] >= 3)
        await tasks.close()
    assert scrubbing.counters()["scrub_faults:damaged"] == 1
    (found,) = [log for log in logs if log["event"] == "the scrub found a bad pack"]
    assert (found["asset"], found["kind"], found["quarantined"]) == ("film/bad", "damaged", True)
    assert "next fill" in found["remedy"]
    assert blamed == []
    with closing(Store.open([Path(table.devices[0])])) as store:
        assert [held.asset for held in store.assets()] == ["film/good"]


async def test_scrubbing_leaves_out_device_and_goes_on_with_it(table: StoreTable) -> None:
    scrubbing = Scrubbing(table, lambda *_: None)
    scrubbing.leave_out([0])
    tasks = Tasks()
    tasks.start(scrubbing.run(), name="scrub")
    await until(lambda: scrubbing._down is not None)
    scrubbing.leave_out([])
    await until(lambda: scrubbing.counters()["scrub_pass_end_seconds"] > 0)
    await tasks.close()


def test_scrubbing_blames_device_whose_pack_cannot_be_read(table: StoreTable) -> None:
    blamed: list[tuple[int, str, str]] = []
    scrubbing = Scrubbing(table, lambda *told: blamed.append(told))
    scrubbing.suspect(0, "film/good")  # nobody to tell: no process runs
    with structlog.testing.capture_logs() as logs:
        scrubbing._hear(line(Found(device=0, asset="a/b", kind="unreadable", what="EIO", why_not="read-only")))
        scrubbing._hear(line(Trouble(device=7, said="gone")))
        scrubbing._hear(b"nonsense\n")
    assert blamed == [(0, "a/b", "a/b: EIO")]
    assert [log["log_level"] for log in logs] == ["error", "warning", "warning"]
    assert "oca store verify" in logs[0]["remedy"]


def test_scrubbing_is_off_at_rate_zero(table: StoreTable) -> None:
    off = StoreTable(devices=table.devices, scrub=ScrubTable(rate_bytes_per_s=0))
    assert not Scrubbing(off, lambda *_: None).is_on


async def test_scrubbing_stops_when_told_and_follows_scrubber_that_dies(
    table: StoreTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("oca.scrubbing.RESTART_S", 0.01)
    scrubbing = Scrubbing(table, lambda *_: None)
    tasks = Tasks()
    run = tasks.start(scrubbing.run(), name="scrub")
    await until(lambda: scrubbing._down is not None)
    first = scrubbing._down
    assert first is not None
    first.close()  # it ends, unasked
    await until(lambda: scrubbing._down not in (None, first))
    scrubbing.stop()
    async with asyncio.timeout(WAIT_S):
        await run
    await tasks.close()


async def test_scrubbing_tries_again_where_no_process_is_to_be_had(
    table: StoreTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    scrubbing = Scrubbing(table, lambda *_: None)

    async def refuse(*_: object, **__: object) -> None:
        scrubbing.stop()
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(asyncio, "create_subprocess_exec", refuse)
    with structlog.testing.capture_logs() as logs:
        await scrubbing.run()
    assert [log["event"] for log in logs] == ["the scrubber cannot be started"]
