"""Two real boxes and steering: a new box takes nobody before its checks, one whose delivery hangs is found out by its
probes although its reports come, and an operator drains the site from steering for a while.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer

from demo.process import Process, stop
from oca.common.clock import monotonic_s
from tests.unit.steering.made_up import write_package
from tests.waiting import until_told

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="module")]

NET = "127.0.96."
NAMES = ("metro-a", "metro-b")
STEERING = f"{NET}8:8090"
COMMANDS = Path(sys.executable).parent


class Fleet:
    """Steering, two boxes and an origin."""

    def __init__(self, folder: Path, origin: str) -> None:
        self.folder = folder
        self.processes: dict[str, Process] = {}
        boxes = "".join(f'[[site.appliance]]\nid = "{name}"\n' for name in NAMES)
        self.config("steering").write_text(
            f'[api]\nlisten = "{STEERING}"\n[state]\npath = "{folder / "state"}"\nbytes_max = 67108864\n'
            f'[history]\npath = "{folder / "history"}"\n[origin]\nurl = "{origin}"\n[signing]\nmode = "required"\n'
            "[fleet]\nreturn_s = 0\n[probes]\ninterval_s = 0.5\ntimeout_s = 2.0\nretry_s = 0.2\n"
            f'[[site]]\nid = "metro"\nprefixes = ["127.0.0.0/8"]\n{boxes}'
        )
        for number, name in enumerate(NAMES, start=1):
            (folder / name).mkdir()
            self.config(name).write_text(
                f'[appliance]\nid = "{name}"\nsite = "metro"\n[store]\ndevices = ["{folder / name}"]\n'
                f'reserve_ratio = 0.0\n[steering]\nurl = "http://{STEERING}"\nreport_interval_s = 0.5\n'
                f'[delivery]\nlisten = ["{NET}{number}:8080"]\nworkers = 1\ndrain_s = 0\n'
                f'[admin]\nlisten = "{NET}{number}:8088"\n'
            )
            self.config(f"fill-{name}").write_text(f'[box]\nconfig = "{self.config(name)}"\n')

    def config(self, name: str) -> Path:
        return self.folder / f"{name}.toml"

    def start(self, name: str, *command: str) -> Process:
        program = [str(COMMANDS / command[0]), *command[1:], "--config", str(self.config(name))]
        made = self.processes[name] = Process(name, program, self.folder / f"{name}.log")
        return made

    async def command(self, program: str, *arguments: str, config: str = "steering") -> str:
        process = await asyncio.create_subprocess_exec(
            str(COMMANDS / program),
            *arguments,
            "--config",
            str(self.config(config)),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said = (await process.communicate())[0].decode()
        assert process.returncode == 0, said
        return said

    async def ask(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """What steering answers, as JSON."""
        url = f"http://{STEERING}{path}"
        async with (
            aiohttp.ClientSession() as session,
            session.request("POST" if body else "GET", url, json=body) as response,
        ):
            assert response.status == 200, await response.text()
            return await response.json()

    async def standing(self) -> dict[str, tuple[str, str]]:
        rows = (await self.ask("/v1/fleet"))["appliances"]
        return {row["appliance"]: (row["standing"], row["why"]) for row in rows}

    async def until(self, what: str, holds: Callable[[dict[str, tuple[str, str]]], bool]) -> float:
        """Wait until the fleet stands so; how long it took."""
        began_at, seen = monotonic_s(), {}

        async def stands() -> bool:
            nonlocal seen
            seen = await self.standing()
            return holds(seen)

        try:
            await until_told(stands)
        except TimeoutError:
            pytest.fail(f"{what}: {seen}")
        return monotonic_s() - began_at


def all_are(standing: str) -> Callable[[dict[str, tuple[str, str]]], bool]:
    return lambda seen: len(seen) == len(NAMES) and all(one == standing for one, _ in seen.values())


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def fleet(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Fleet]:
    folder = tmp_path_factory.mktemp("health")
    write_package(folder / "library" / "harbour")
    application = web.Application()
    application.router.add_static("/", folder / "library")
    async with TestServer(application, host=f"{NET}9") as server:
        made = Fleet(folder, f"http://{NET}9:{server.port}")
        made.start("steering", "oca-steering", "serve")
        for name in NAMES:
            made.start(name, "oca", "serve")
        try:
            yield made
        finally:
            await stop(list(made.processes.values()))


async def test_new_boxes_take_nobody_before_they_have_passed_their_checks(fleet: Fleet) -> None:
    await fleet.until("both are new", all_are("turning-up"))
    await fleet.until("both are probed", lambda seen: all("probed" not in why for _, why in seen.values()))
    shown = await fleet.command("oca-steering", "fleet")
    assert "pass  probe: it answers; it holds nothing to check" in shown
    assert "wait  contents: it holds nothing that is published" in shown
    told = await fleet.command("oca", "status", config="metro-a")
    assert "! sends no new viewers here: turning up: " in told
    await fleet.command("oca-steering", "publish", str(fleet.folder / "library" / "harbour"), "--title", "harbour")
    await asyncio.gather(*(fleet.command("oca-fill", "run", "--now", config=f"fill-{name}") for name in NAMES))
    await fleet.until("both are up", all_are("up"))
    entries = (await fleet.ask("/v1/operators/audit"))["entries"]
    assert {"metro-a passed all checks", "metro-b passed all checks"} <= {entry["what"] for entry in entries}


async def test_probes_find_out_a_box_whose_delivery_hangs(fleet: Fleet) -> None:
    await fleet.until("both are up", all_are("up"))
    daemon = psutil.Process(fleet.processes["metro-a"].group)
    worker = next(child for child in daemon.children(recursive=True) if "oca.delivery" in " ".join(child.cmdline()))
    os.kill(worker.pid, signal.SIGSTOP)
    try:
        took_s = await fleet.until("metro-a is out", lambda seen: seen["metro-a"][0] == "unreachable")
        standing, why = (await fleet.standing())["metro-a"]
        assert (standing, "no answer within 2 s" in why) == ("unreachable", True), why
        assert (await fleet.standing())["metro-b"][0] == "up"
        print(f"out {took_s:.1f} s after SIGSTOP; its reports came all along")
    finally:
        os.kill(worker.pid, signal.SIGCONT)
    await fleet.until("metro-a is back", all_are("up"))


async def test_operator_drains_a_site_from_steering_for_a_while(fleet: Fleet) -> None:
    await fleet.until("both are up", all_are("up"))
    said = await fleet.command("oca-steering", "drain", "--site", "metro", "--reason", "power works")
    assert "site metro: no new viewers" in said
    await fleet.until("the site is out", all_are("drained"))
    answer = await fleet.ask("/v1/explain?title=harbour")
    whys = {lost["pathway"]: lost["why"] for lost in answer["rejected"]}
    assert set(whys) == set(NAMES)
    assert "power works ('oca-steering undrain --site metro' takes it back)" in whys["metro-a"]
    await fleet.ask("/v1/drains", {"scope": "site", "name": "metro", "for_s": 1})  # in place of the other
    await fleet.until("the site is back by itself", all_are("up"))
    entries = (await fleet.ask("/v1/operators/audit"))["entries"]
    assert entries[-1]["what"] == "site metro: the time that local gave is over"
