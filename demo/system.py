"""The whole system on one machine: starts every process in order, waits until each part is ready, ends all of it."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp

from demo import nats
from demo.claim import claim
from demo.demand import as_csv, made_up_day
from demo.places import Instance, Places
from demo.process import LOOK_S, Process, ProcessError, stop
from demo.screen import Advance
from demo.settings_files import settings_files
from demo.titles import Film
from oca.common.clock import monotonic_s, utc_now

READY_S = 30.0
COMMAND_S = 120.0
FILL_S = 240.0
OUT_FOR_DAYS = 28
PUBLISH_SIDE_BY_SIDE = 2
COMMANDS = Path(sys.executable).parent


class System:
    """All processes of one demo.

    Args:
        places: Addresses and folders.
        library: The folder that the origin serves, a folder per title in it.
        films: What is in it, best known first.
        recipes: Film → key of its encoded form; a title whose key or words changed is published anew.
        workers: Delivery workers of each appliance.
    """

    def __init__(
        self,
        places: Places,
        library: Path,
        films: Sequence[Film],
        recipes: dict[str, str],
        *,
        workers: int,
    ) -> None:
        self.places = places
        self.films = films
        self.processes: dict[str, Process] = {}
        self._library = library
        self._recipes = recipes
        self._workers = workers
        self._session: aiohttp.ClientSession | None = None
        self._lock: int | None = None

    async def start(self) -> None:
        """Start origin, steering and appliances, and wait until all answer.

        Raises:
            OcaError: Another demo runs here, an address is taken, or a process ended.
        """
        self._lock = claim(self.places)
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10))
        sizes = [sum(file.stat().st_size for file in (self._library / film.title).iterdir()) for film in self.films]
        for path, text in settings_files(self.places, films_bytes=sizes, workers=self._workers):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        python = [sys.executable, "-m"]
        listen = ["--listen", self.places.origin]
        self._spawn("origin", [*python, "demo.origin", "--folder", str(self._library), *listen])
        for number in range(len(self.places.nats)):
            self.start_nats(number)
        for instance in self.places.instances:
            self.start_instance(instance)
        for appliance in self.places.appliances:
            folder = self.places.run / appliance.id
            (folder / "device0").mkdir(exist_ok=True)
            self._spawn(appliance.id, self.serve_command(appliance.id))
        await self._answers("origin", f"{self.places.origin_url}/-/sent")
        for instance in self.places.instances:
            await self._answers(instance.name, f"{instance.url}/health")
            await self.until(f"{instance.name} has met the others", partial(self._all_met, instance), READY_S)
        await self.serve_all()

    async def serve_all(self) -> None:
        """Wait until every appliance serves, or would if it held something; a drain from earlier is ended."""
        await self.until("every appliance reports", self._all_report, READY_S)
        for row in (await self.fleet())["appliances"]:
            if row["serving"] != "serving":  # drained in an earlier run; drains hold across restarts
                await self.command("oca", "undrain", config=self.appliance_config(row["appliance"]))
        await self.until("every appliance serves", self._all_up, READY_S)

    async def publish(self, advance: Advance) -> None:
        """Publish each title that is new or was encoded anew, by the command an operator uses."""
        marks = self.places.run / self.places.instances[0].name / "published"
        marks.mkdir(exist_ok=True)
        known = await self._known()
        # Films that came out today could not have been watched yesterday, and the plan would know it.
        released = (utc_now() - timedelta(days=OUT_FOR_DAYS)).strftime("%Y-%m-%dT00:00:00Z")
        done = 0

        async def one(film: Film, turn: asyncio.Semaphore) -> None:
            nonlocal done
            mark = marks / film.title
            words = ("--name", film.name, "--synopsis", film.synopsis)
            wanted = "\n".join((self._recipes[film.title], *words))
            if film.title not in known or not mark.exists() or mark.read_text() != wanted:
                async with turn:
                    folder = str(self._library / film.title)
                    named = ("--title", film.title, "--release-at", released, *words)
                    await self.command("oca-steering", "publish", folder, *named)
                mark.write_text(wanted)
            done += 1
            advance(done, film.name)

        turn = asyncio.Semaphore(PUBLISH_SIDE_BY_SIDE)
        await asyncio.gather(*(one(film, turn) for film in self.films))

        async def taken_up() -> bool:
            return {film.title for film in self.films} <= await self._known()

        await self.until("steering knows every film", taken_up, READY_S)

    async def plan(self) -> None:
        """Import the made-up day and have steering plan by it."""
        mine = [film.title for film in self.films]
        titles = [title for title in (await self.ask("/v1/titles"))["titles"] if title["title"] in mine]
        assets = {asset["asset"]: asset["bytes"] for title in titles for asset in title["assets"]}
        table = self.places.run / "made-up-demand.csv"
        yesterday = utc_now().date() - timedelta(days=1)
        table.write_text(as_csv(made_up_day(mine, assets), yesterday))
        await self.command("oca-steering", "demand", "import", str(table))
        await self.command("oca-steering", "plan", "--now")

    async def fill(self, advance: Advance) -> None:
        """Run the fill agent of every appliance, and tell how far they are."""
        agents = []
        for appliance in self.places.appliances:
            config = self.places.run / appliance.id / "fill.toml"
            command = [str(COMMANDS / "oca-fill"), "run", "--config", str(config), "--now"]
            agents.append(self._spawn(f"fill of {appliance.id}", command, log=f"{appliance.id}-fill"))
        until = monotonic_s() + FILL_S
        while any(agent.exit_code is None for agent in agents):
            if monotonic_s() > until:
                raise ProcessError(f"the fill took more than {FILL_S:.0f} s", remedy=f"see {agents[0].log.parent}")
            fills = [row["fill"] for row in (await self.fleet())["appliances"] if row["fill"]]
            total = sum(fill["bytes_total"] for fill in fills)
            if total:
                done = sum(fill["bytes_done"] for fill in fills)
                advance(done / total, f"{done / 1e6:.0f} of {total / 1e6:.0f} MB")
            await asyncio.sleep(0.25)
        for agent in agents:
            del self.processes[agent.name]
            await agent.finish(0)

    async def playable(self) -> str:
        """Wait until the best-known title comes from appliances; its id."""
        title = self.films[0].title

        async def served() -> bool:
            ways = (await self.playback(title))["pathways"]
            return len(ways) > 1 and all("whole" in way["why"] for way in ways[: len(self.places.appliances)])

        await self.until(f"{title} is held by every appliance", served, READY_S)
        return title

    async def stop(self) -> None:
        """End everything that runs, and give the folder free."""
        await stop(list(self.processes.values()))
        self.processes.clear()
        if self._session is not None:
            await self._session.close()
            self._session = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    # ---- asking ----

    @property
    def session(self) -> aiohttp.ClientSession:
        assert self._session is not None, "the system is started"
        return self._session

    async def ask(self, path: str, body: dict[str, str] | None = None, *, at: Instance | None = None) -> Any:
        """What steering, or one instance of it, answers, as JSON."""
        url = (at or self.places.instances[0]).url + path
        async with self.session.request("POST" if body else "GET", url, json=body) as response:
            response.raise_for_status()
            return await response.json()

    async def sent_by_origin(self) -> dict[str, int]:
        """How often the origin sent each path since it started."""
        async with self.session.get(f"{self.places.origin_url}/-/sent") as response:
            sent: dict[str, int] = await response.json()
            return sent

    async def fleet(self) -> Any:
        return await self.ask("/v1/fleet")

    async def playback(self, title: str, client: str = "", *, at: Instance | None = None) -> Any:
        return await self.ask("/v1/playback", {"title": title, **({"client": client} if client else {})}, at=at)

    async def until(self, what: str, condition: Callable[[], Awaitable[bool]], timeout_s: float) -> None:
        """Wait for a condition.

        Raises:
            ProcessError: A process ended meanwhile, or the time is up.
        """
        until = monotonic_s() + timeout_s
        while True:
            self._check()
            try:
                if await condition():
                    return
            except (aiohttp.ClientError, TimeoutError, OSError):
                pass  # not there yet
            if monotonic_s() > until:
                raise ProcessError(f"after {timeout_s:.0f} s not so: {what}", remedy=f"see the logs in {self.logs}")
            await asyncio.sleep(LOOK_S)

    # ---- processes ----

    @property
    def logs(self) -> Path:
        return self.places.run / "log"

    @property
    def steering_config(self) -> Path:
        return self.instance_config(self.places.instances[0])

    def instance_config(self, instance: Instance) -> Path:
        return self.places.run / instance.name / "steering.toml"

    def appliance_config(self, appliance: str) -> Path:
        return self.places.run / appliance / "appliance.toml"

    def serve_command(self, appliance: str) -> list[str]:
        """How an appliance is started."""
        return [str(COMMANDS / "oca"), "serve", "--config", str(self.appliance_config(appliance))]

    async def command(self, program: str, *arguments: str, config: Path | None = None) -> None:
        """Run one command to its end, with steering's settings unless others are named."""
        name = " ".join([program, *arguments[:2]])
        settings = ["--config", str(config or self.steering_config)]
        process = Process(name, [str(COMMANDS / program), *arguments, *settings], self.logs / f"{program}.log")
        try:
            await process.finish(COMMAND_S)
        finally:
            process.kill()

    def start_instance(self, instance: Instance) -> None:
        """Start an instance of steering."""
        config = str(self.instance_config(instance))
        self._spawn(instance.name, [str(COMMANDS / "oca-steering"), "serve", "--config", config])

    def start_nats(self, number: int) -> None:
        """Start the server of NATS of that number, from 0."""
        name = f"nats-{number + 1}"
        self._spawn(name, [nats.program(), "--config", str(self.places.run / name / "nats.conf")])

    def start_again(self, appliance: str) -> None:
        """Start an appliance that was stopped."""
        self._spawn(appliance, self.serve_command(appliance))

    def ended(self) -> list[Process]:
        """Processes that have ended by themselves since the last look."""
        gone = [process for process in self.processes.values() if process.exit_code is not None]
        for process in gone:
            del self.processes[process.name]
        return gone

    def _spawn(self, name: str, command: list[str], *, log: str = "") -> Process:
        process = Process(name, command, self.logs / f"{log or name}.log")
        self.processes[name] = process
        return process

    def _check(self) -> None:
        for process in self.processes.values():
            if process.exit_code is not None:
                raise process.failure()

    async def _answers(self, name: str, url: str) -> None:
        async def answer() -> bool:
            async with self.session.get(url) as response:
                return bool(response.status < 500)

        await self.until(f"{name} answers", answer, READY_S)

    async def _all_met(self, instance: Instance) -> bool:
        health = await self.ask("/health", at=instance)
        return len(health["instances"]) == len(self.places.instances)

    async def _known(self) -> set[str]:
        return {title["title"] for title in (await self.ask("/v1/titles"))["titles"]}

    async def _all_report(self) -> bool:
        rows = (await self.fleet())["appliances"]
        return sum(row["report_age_s"] is not None for row in rows) == len(self.places.appliances)

    async def _all_up(self) -> bool:
        rows = (await self.fleet())["appliances"]
        return sum(row["standing"] in ("up", "turning-up") for row in rows) == len(self.places.appliances)


def forget(places: Places) -> None:
    """Remove what earlier runs left: stores, catalogue and demand. Encoded films stay."""
    shutil.rmtree(places.run, ignore_errors=True)
