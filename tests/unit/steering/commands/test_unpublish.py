"""From outside: the command in a process of its own, beside a service over the same state."""

from __future__ import annotations

import asyncio
import json
import shlex
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from oca.common.clock import now_ns
from oca.common.messages import AssetDemand
from oca.common.units import format_bytes
from steering.commands.unpublish import TAKEN_UP_S
from steering.decision import log
from steering.decision.log_settings import DecisionLogTable
from steering.plan.planner import make_plans
from steering.settings import FleetTable
from steering.state.embedded import EmbeddedState
from steering.titles.publish import Publication
from tests.unit.steering.api_client import Steering
from tests.unit.steering.made_up import daily_bytes, make_batch, make_contents, make_report, make_settings
from tests.waiting import WAIT_S, until, until_told

SITES = """
[origin]
url = "http://origin.example"
[[site]]
id = "metro"
prefixes = ["127.0.0.0/8"]
[[site.appliance]]
id = "metro-a"
[[site.appliance]]
id = "metro-b"
[[site]]
id = "region"
class = "regional"
[[site.appliance]]
id = "region-a"
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return write_config(tmp_path, 1)


def write_config(folder: Path, port: int | None) -> Path:
    path = folder / "steering.toml"
    path.write_text(
        f'[state]\npath = "{folder / "state"}"\nbytes_max = {2**26}\n[api]\nlisten = "127.0.0.1:{port}"\n{SITES}'
    )
    return path


def run(config: Path, *words: str) -> tuple[int, str, str]:
    command = [sys.executable, "-c", "from steering.cli import main; main()", *words, "--config", str(config)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=WAIT_S)
    return done.returncode, done.stdout, done.stderr


def size_of(package: Path) -> int:
    return sum(file.stat().st_size for file in package.iterdir())


def publish(config: Path, package: Path, title: str = "harbour", said: Sequence[str] = ()) -> None:
    code, _, err = run(config, "publish", str(package), "--title", title, "--name", "Harbour Lights", *said)
    assert code == 0, err


def test_unpublish_says_what_it_did_and_what_becomes_of_the_rest(config: Path, package: Path) -> None:
    publish(config, package)
    code, out, err = run(config, "unpublish", "harbour")
    assert code == 0
    head, row, *said = out.splitlines()
    assert head.split() == ["TITLE", "NAME", "ASSETS", "SIZE", "BOXES"]
    assert row.split() == ["harbour", "Harbour", "Lights", "3", *format_bytes(size_of(package)).split(), "?"]
    assert said[1].endswith("without end: [signing] mode = 'off'")
    assert err.startswith("on how many boxes it lies is not known: http://127.0.0.1:1 cannot be reached: ")
    assert "(next time: start oca-steering serve there, or " in err
    assert err.endswith("); see 'oca store ls' on each box\n")
    assert run(config, "titles")[1].startswith("nothing is published in the state")
    assert [line.split()[-2:] for line in run(config, "audit")[1].splitlines()[1:]] == [
        ["publish", "harbour"],
        ["unpublish", "harbour"],
    ]


def test_unpublish_says_until_when_urls_are_good(config: Path, package: Path) -> None:
    publish(config, package)
    before_ns, signed = now_ns(), ("--set", "signing.mode=required", "--set", "signing.token_lifetime_s=3600")
    found = json.loads(run(config, "unpublish", "harbour", "--json", *signed)[1])
    ahead_s = (found["urls_end_at_ns"] - before_ns) / 1e9
    assert 3600 + 300 + TAKEN_UP_S < ahead_s < 3600 + 300 + TAKEN_UP_S + WAIT_S
    assert [(row["title"], row["boxes"]) for row in found["titles"]] == [("harbour", None)]
    publish(config, package)
    out = run(config, "unpublish", "harbour", *signed)[1]
    assert "until the URL ends: all of them have by 20" in out
    assert "Z, and a box's clock_leeway_s later if it has one;" in out
    assert "'oca-steering keys rotate --revoke' ends those of all titles within two reports" in out
    publish(config, package)
    assert (
        "without end: [signing] mode = 'optional'"
        in run(config, "unpublish", "harbour", "--set", "signing.mode=optional")[1]
    )


def test_unpublish_tells_how_what_it_took_out_is_published_again(config: Path, package: Path) -> None:
    told = ("--synopsis", "Ships' lights", "--mount", "/h", "--origin-url", "http://own.example", "--region", "DE")
    said = (*told, "--region", "FR", "--release-at", "2031-02-03T04:05:06Z")
    publish(config, package, said=said)
    (was,) = json.loads(run(config, "titles", "--json")[1])["titles"]
    last = run(config, "unpublish", "harbour")[1].splitlines()[-1]
    start = "as it was, it is published by: oca-steering publish DIR "
    assert last.startswith(start)
    again = shlex.split(last.removeprefix(start))
    assert again[-2:] == ["--config", str(config)]
    code, _, err = run(config, "publish", str(package), *again[:-2])
    assert code == 0, err
    assert json.loads(run(config, "titles", "--json")[1])["titles"] == [was]
    (row,) = json.loads(run(config, "unpublish", "harbour", "--json")[1])["titles"]
    assert row["was"] == was


def test_unpublish_names_what_is_not_there_and_changes_nothing(config: Path, package: Path) -> None:
    publish(config, package)
    code, out, err = run(config, "unpublish", "harbour", "mist")
    assert (code, out) == (78, "")
    assert err == (
        "oca-steering: no title 'mist' is published; nothing was taken out; "
        "'oca-steering titles' lists those that are, 'oca-steering audit' tells of what was taken out\n"
    )
    code, _, err = run(config, "unpublish", "h\udcffrbour", "harbour")
    assert (code, err.partition(";")[0]) == (78, "oca-steering: no title 'h\\udcffrbour' is published")
    assert "Harbour Lights" in run(config, "titles")[1]
    assert run(config, "unpublish")[0] == 2


class Fleet:
    """Three boxes of a service that hold a title, one of them in part, and report on."""

    def __init__(self, steering: Steering, held: dict[str, str]) -> None:
        self._steering, self._held, self._sequence = steering, held, 0

    async def report(self, *items: AssetDemand) -> None:
        """All hold it still; ``items`` were asked of the first since."""
        self._sequence += 1
        part = dict([*self._held.items()][:1])
        of_before = dict.fromkeys(part, "0" * 32)
        for box, site, held in (
            ("metro-a", "metro", self._held),
            ("metro-b", "metro", part),
            ("region-a", "region", of_before),
        ):
            contents = make_contents(held)
            report = make_report(box, site, sequence=self._sequence, contents=contents)
            if items and box == "metro-a":
                report = replace(report, demand=replace(make_batch(self._sequence, at_ns=now_ns()), items=[*items]))
            async with self._steering.report_and_answer(report) as answer:
                assert answer["demand_sequence"] == (report.demand.sequence if report.demand is not None else None)


@pytest.fixture
async def steering(state: EmbeddedState, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Steering]:
    """A service that logs its decisions, and waits long for reports: processes start meanwhile."""
    monkeypatch.setattr(log, "WRITE_S", 0.0)
    table = DecisionLogTable(folder=str(tmp_path / "log"), sample=1.0)
    patient = FleetTable(missed_reports_max=100)
    async with Steering(state, replace(make_settings(), decision_log=table, fleet=patient)) as running:
        yield running


@pytest.fixture
async def fleet(steering: Steering, package: Path) -> Fleet:
    """Which holds of two titles one, and has its plans."""
    fleet = Fleet(steering, steering.publish(package))
    mill = Publication("mill", "Mill", "/mill", "", (), 0, 0)
    steering.publish(package, mill)
    await fleet.report(AssetDemand("harbour/video-240p", 1, 10))
    await asyncio.to_thread(make_plans, steering.state, steering.service.decider.settings, now_ns=now_ns())
    assert "harbour/audio-en" in await planned(steering)
    return fleet


async def planned(steering: Steering) -> list[str]:
    plan = await steering.get("/v1/appliances/metro-a/fill-plan")
    return [item["asset"] for item in plan["assets"]]


async def take_out(steering: Steering, folder: Path) -> Any:
    """From a process of its own, until the service has it."""
    code, out, err = await asyncio.to_thread(
        run, write_config(folder, steering.client.port), "unpublish", "harbour", "--json"
    )
    assert (code, err) == (0, "")
    await until(lambda: "harbour" not in steering.service.decider.catalogue.titles)
    return json.loads(out)


async def test_title_taken_out_is_404_wherever_it_is_asked_for(
    steering: Steering, fleet: Fleet, tmp_path: Path
) -> None:
    assert (await steering.playback())[1]["pathways"][0]["pathway"] == "metro-a"
    (row,) = (await take_out(steering, tmp_path))["titles"]
    assert (row["title"], row["boxes"]) == ("harbour", 3)
    await fleet.report()
    assert (await steering.playback())[0] == 404
    assert (await steering.playback("mill"))[0] == 200
    for path in (
        "/v1/playback/harbour/master.m3u8",
        "/v1/playback/harbour/manifest.mpd",
        "/v1/explain?title=harbour",
        "/r/harbour/poster.jpg",
        "/v1/catalogue/harbour",
        "/v1/fleet/boxes/metro-a/playback/harbour",
        "/v1/appliances/metro-a/assets/harbour/audio-en",
    ):
        assert (await steering.problem("GET", path))[0] == 404, path
    asked = "/steer/hls?title=harbour&pathways=metro-a,metro-b,region-a,origin&_HLS_pathway=metro-b"
    steered = await steering.get(asked)
    assert steered["PATHWAY-PRIORITY"] == ["metro-b", "metro-a", "region-a", "origin"]  # who plays stays where he is


async def test_boxes_plans_and_pages_go_on_without_a_title_they_have(
    steering: Steering, fleet: Fleet, tmp_path: Path
) -> None:
    await take_out(steering, tmp_path)
    before = daily_bytes(steering.state)
    await fleet.report(AssetDemand("harbour/video-240p", 1, 10))
    assert daily_bytes(steering.state) == before
    async with steering.client.get("/metrics") as response:
        assert 'demand_items_dropped_total{reason="unknown-asset"} 1.0' in await response.text()
    assert {asset.partition("/")[0] for asset in await planned(steering)} == {"mill"}
    shown = await steering.get("/v1/plans/metro")
    assert {item["asset"].partition("/")[0] for box in shown["boxes"] for item in box["first"]} == {"mill"}
    assert (await steering.get("/v1/fleet/boxes/metro-a/titles"))["titles"] == []
    assert [row["title"] for row in (await steering.get("/v1/catalogue"))["rows"]] == ["mill"]
    for path in (
        "/v1/titles",
        "/v1/shelf",
        "/v1/fleet",
        "/v1/fleet/overview",
        "/v1/fleet/boxes",
        "/v1/plans",
        "/health",
    ):
        assert await steering.get(path), path
    await asyncio.to_thread(make_plans, steering.state, steering.service.decider.settings, now_ns=now_ns())
    assert {asset.partition("/")[0] for asset in await planned(steering)} == {"mill"}


async def test_commands_go_on_without_a_title_they_have(steering: Steering, fleet: Fleet, tmp_path: Path) -> None:
    await steering.playback()
    await until(lambda: steering.service.decider.counts.values["steering_decisions_logged:written"] > 0)
    await take_out(steering, tmp_path)
    config = tmp_path / "steering.toml"

    async def told(*words: str, code: int = 0) -> str:
        found, out, err = await asyncio.to_thread(run, config, *words)
        assert found == code, err
        return out + err

    assert '"decisions": 1,' in await told("replay", str(tmp_path / "log"), "--json")
    assert "harbour" not in await told("plan")
    assert "harbour" not in await told("plan", "--now")
    assert "no such asset is published" in await told("plan", "--explain", "harbour/audio-en", code=78)
    assert "404: No such title" in await told("explain", "--title", "harbour", code=1)
    await told("history")


async def test_title_taken_out_and_published_again_is_served_by_who_kept_it(
    steering: Steering, fleet: Fleet, tmp_path: Path, package: Path
) -> None:
    await take_out(steering, tmp_path)
    await asyncio.to_thread(publish, tmp_path / "steering.toml", package)

    async def served() -> bool:
        await fleet.report()
        status, answer = await steering.playback()
        return bool(status == 200 and answer["pathways"][0]["pathway"] == "metro-a")

    await until_told(served)
    assert "harbour/audio-en" in await planned(steering)
