from __future__ import annotations

import asyncio
import errno
import os
from pathlib import Path

import pytest
from msgspec.structs import replace

from oca.common.errors import ConfigError, SteeringError
from steering.decision import log as decision_log_module
from steering.decision.log import DecisionLog
from steering.decision.log_settings import DecisionLogTable
from steering.decision.record import Begun, Seen, read_records
from steering.metrics import Counts
from steering.state.embedded import EmbeddedState
from tests.unit.steering.api_client import Steering
from tests.unit.steering.decision.test_record import BEGUN, SEEN
from tests.unit.steering.made_up import make_contents, make_report, make_settings
from tests.waiting import WAIT_S


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decision_log_module, "WRITE_S", 0.0)


def make_log(folder: Path, counts: Counts | None = None, **changes: object) -> DecisionLog:
    return DecisionLog(replace(DecisionLogTable(folder=str(folder)), **changes), BEGUN, counts or Counts())


def records(folder: Path) -> list[list[Begun | Seen | None]]:
    return [
        list(read_records(path.read_bytes().splitlines(keepends=True), name=path.name))
        for path in sorted(folder.iterdir())
    ]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def test_log_keeps_what_is_sampled(tmp_path: Path) -> None:
    counts = Counts()
    log = make_log(tmp_path / "new", counts, sample=0.25)
    assert [log.samples() for _ in range(8)] == [False, False, False, True] * 2
    await log.write_next()
    log.add(SEEN)
    log.add(replace(SEEN, title="mill"))
    await log.write_next()
    assert records(tmp_path / "new") == [[BEGUN, SEEN, replace(SEEN, title="mill")]]
    assert counts.values["steering_decisions_logged:written"] == 2


async def test_log_begins_another_file_and_drops_the_oldest(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    for _ in range(3):  # each start begins one
        log = make_log(tmp_path, files_max=3, file_bytes_max=2**16)
    for number in range(2):
        for _ in range(400):
            log.add(SEEN)
        await log.write_next()
        assert number in (0, 1)
    (tmp_path / "notes.txt").unlink()
    assert names(tmp_path) == [f"decisions-{number:08}.jsonl" for number in (2, 3, 4)]
    assert [len(each) for each in records(tmp_path)] == [1, 401, 401]
    (tmp_path / "decisions-00000004.jsonl").unlink()
    log.add(SEEN)
    await log.write_next()
    assert records(tmp_path)[-1] == [BEGUN, SEEN]


async def test_log_begins_no_file_without_its_first_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = make_log(tmp_path, file_bytes_max=2**16)
    for _ in range(400):
        log.add(SEEN)
    await log.write_next()

    def fill_up(path: Path, data: bytes) -> int:
        path.touch()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as full:
        full.setattr(Path, "write_bytes", fill_up)
        for _ in range(2):
            log.add(SEEN)
            with pytest.raises(SteeringError, match="No space left on device; check the space"):
                await log.write_next()
    log.add(replace(SEEN, title="mill"))
    await log.write_next()
    assert names(tmp_path) == ["decisions-00000001.jsonl", "decisions-00000002.jsonl"]
    assert [len(each) for each in records(tmp_path)] == [401, 2]
    assert records(tmp_path)[1] == [BEGUN, replace(SEEN, title="mill")]


async def test_log_is_bounded_and_tells_what_it_loses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = Counts()
    log = make_log(tmp_path / "log", counts)
    monkeypatch.setattr(decision_log_module, "WAITING_BYTES_MAX", 1000)
    for _ in range(5):
        log.add(SEEN)
    lost = counts.values["steering_decisions_logged:lost"]
    assert 0 < lost < 5
    for path in (tmp_path / "log").iterdir():
        path.unlink()
    (tmp_path / "log").rmdir()
    with pytest.raises(SteeringError, match="No such file or directory; check the space and health of its disk"):
        await log.write_next()
    assert counts.values["steering_decisions_logged:lost"] == 5


def test_log_says_which_folder_it_cannot_write(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"\[decision_log\] folder = '.*/file': file exists; make it writable"):
        make_log(tmp_path / "file")


async def test_service_logs_decisions_that_send_viewers(state: EmbeddedState, package: Path, tmp_path: Path) -> None:
    table = DecisionLogTable(folder=str(tmp_path / "log"), sample=1.0)
    async with Steering(state, replace(make_settings(), decision_log=table)) as steering:
        held = steering.publish(package)
        await steering.report(make_report("metro-a", contents=make_contents(held)))
        await steering.report(make_report("region-a", "region", contents=make_contents(held)))
        _, answer = await steering.playback()
        await steering.get("/v1/explain?title=harbour")
        await steering.get("/steer/hls?title=harbour")
        _, other = await steering.playback(client="2001:db8:7:8::9")
        counts = steering.service.decider.counts
        async with asyncio.timeout(WAIT_S):
            while counts.values["steering_decisions_logged:written"] < 2:  # noqa: ASYNC110 - a counter wakes nobody
                await asyncio.sleep(0.01)
    (begun, first, second), *_ = records(tmp_path / "log")
    assert isinstance(begun, Begun)
    assert [site.site for site in begun.sites] == ["metro", "region"]
    assert isinstance(first, Seen)
    assert isinstance(second, Seen)
    assert (first.kind, first.network, first.home) == ("playback", "127.0.0.0/24", "metro")
    assert first.shapes == [((0, "metro"),)]
    assert first.chosen == [pathway["pathway"] for pathway in answer["pathways"]] == ["metro-a", "region-a", "origin"]
    assert [(site.site, [(box.appliance, box.standing, box.held) for box in site.boxes]) for site in first.sites] == [
        ("metro", [("metro-a", "up", 3), ("metro-b", "unknown", 0)]),
        ("region", [("region-a", "up", 3)]),
    ]
    assert (second.network, second.home) == ("2001:db8:7::/48", "")
    assert second.chosen == [pathway["pathway"] for pathway in other["pathways"]]
