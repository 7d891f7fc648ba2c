"""One appliance under soak: its daemon, its fill agent and the clients that ask it, as real processes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from pathlib import Path
from typing import Any

import aiohttp
import psutil

from tests.soak.supply import Supply

ROOT = Path(__file__).parents[2]
DEVICE_BYTES = 42_000_000
RATE_BYTES_PER_S = 8_000_000
SCRUB_BYTES_PER_S = 4_000_000
START_S_MAX = 300.0
"""It shares the machine with whatever else there is, at the lowest priority."""
END_S_MAX = 60.0
CLIENTS, PAUSE_S = 6, 0.2
Process = asyncio.subprocess.Process


class Box:
    """An appliance with two small devices. ``outages`` are the times in which something of it was down."""

    def __init__(self, folder: Path, name: str, host: str, supply: Supply) -> None:
        self.name = name
        self.supply = supply
        self.url, self.admin = f"http://{host}:8080", f"http://{host}:8088"
        self.devices = [folder / name / f"nvme{number}" for number in range(2)]
        self.outages: list[tuple[float, float]] = []
        self.config = folder / name / "appliance.toml"
        self.daemon: Process | None = None
        self.agent: Process | None = None
        self._clients: Process | None = None
        self._host = host
        self._log = folder / name / "log"
        for device in self.devices:
            device.mkdir(parents=True)

    def write_settings(self) -> None:
        """Once it is known where its supply listens."""
        name, host = self.name, self._host
        devices = ", ".join(f'"{device}"' for device in self.devices)
        self.config.write_text(
            f'[appliance]\nid = "{name}"\nsite = "soak"\n[steering]\nurl = "{self.supply.url}"\n'
            f'[delivery]\nlisten = ["{host}:8080"]\nworkers = 2\ndrain_s = 5\n[admin]\nlisten = "{host}:8088"\n'
            f"[store]\ndevices = [{devices}]\ndevice_bytes_max = {DEVICE_BYTES}\nreserve_ratio = 0.0\n"
            f"[store.scrub]\nrate_bytes_per_s = {SCRUB_BYTES_PER_S}\ninterval_s = 1\n"
        )
        self.config.with_name("fill.toml").write_text(
            f'[window]\nstart = "00:00"\nend = "00:00"\n[busy]\nserving_bytes_per_s_min = {2**40}\n'
            f"[fill]\nrate_bytes_per_s_max = {RATE_BYTES_PER_S}\nreplan_interval_s = 1\n"
            f"backoff_s = 0.2\nrounds_max = 2\n[ladder]\nlook_interval_s = 1\npeer_wait_s = 0\ntier_wait_s = 0\n"
        )

    async def start_daemon(self) -> None:
        """Start it, and wait until its workers serve."""
        self.daemon = await self._start("oca", "serve", "--config", str(self.config))
        async with asyncio.timeout(START_S_MAX):
            while not await self.is_serving():
                if self.daemon.returncode is not None:
                    raise RuntimeError(f"{self.name}: the daemon ended with {self.daemon.returncode}, see {self._log}")
                await asyncio.sleep(0.1)

    async def start_agent(self) -> None:
        config = self.config.with_name("fill.toml")
        self.agent = await self._start("oca-fill", "run", "--forever", "--config", str(config))

    async def start_clients(self, digests: dict[str, list[str]]) -> None:
        """Clients that ask for everything there is, for ever; what is not held may be answered 404."""
        plan = {"host": self._host, "port": 8080, "digests": digests, "clients": CLIENTS, "pause_s": PAUSE_S}
        self._clients = await asyncio.create_subprocess_exec(
            *(sys.executable, str(ROOT / "tests/system/segment_clients.py")),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        assert self._clients.stdin is not None
        self._clients.stdin.write(json.dumps(plan | {"absent_allowed": True}).encode() + b"\n")

    async def end_clients(self) -> dict[str, Any]:
        """End them; what came of it."""
        assert self._clients is not None
        assert self._clients.stdin is not None
        self._clients.stdin.close()
        told, _ = await self._clients.communicate()
        return dict(json.loads(told))

    async def end(self) -> list[str]:
        """End agent and daemon as a service manager does; what was wrong with that."""
        faults = []
        for what, process in (("agent", self.agent), ("daemon", self.daemon)):
            if process is None:
                continue
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            try:
                async with asyncio.timeout(END_S_MAX):
                    await process.wait()
            except TimeoutError:
                process.kill()
            if process.returncode:
                faults.append(f"{self.name}: the {what} ended with {process.returncode}")
        return faults

    async def abandon(self) -> None:
        """End everything at once: something went wrong."""
        for process in (self._clients, self.agent, self.daemon):
            if process is not None and process.returncode is None:
                process.kill()
                await process.wait()

    async def verify(self) -> dict[str, Any]:
        """What ``oca store verify`` says."""
        command = (sys.executable, "-m", "oca.cli", "store", "verify", "--json", "--config", str(self.config))
        process = await asyncio.create_subprocess_exec(
            *command, cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
        )
        told, _ = await process.communicate()
        return {"exit": process.returncode, **json.loads(told)}

    async def is_serving(self) -> bool:
        try:
            workers = (await self.ask("/v1/status"))["workers"]
        except (aiohttp.ClientError, TimeoutError):
            return False
        return bool(workers) and all(worker["ready"] for worker in workers)

    async def ask(self, path: str) -> Any:
        timeout = aiohttp.ClientTimeout(total=10)
        async with aiohttp.ClientSession(timeout=timeout) as session, session.get(self.admin + path) as answer:
            return await answer.json()

    async def missing(self) -> list[str]:
        """Objects of the plan that are not served whole and right."""
        wrong = []
        async with aiohttp.ClientSession() as session:
            for asset in self.supply.assets():
                for path, body in self.supply.objects(asset).items():
                    async with session.get(self.url + path) as answer:
                        if answer.status != 200 or await answer.read() != body:
                            wrong.append(path)
        return wrong

    def processes(self) -> dict[str, psutil.Process]:
        """What runs of this box, by what it is."""
        found = {}
        with contextlib.suppress(psutil.NoSuchProcess):
            if self.agent is not None and self.agent.returncode is None:
                found["agent"] = psutil.Process(self.agent.pid)
            if self.daemon is not None and self.daemon.returncode is None:
                found["daemon"] = daemon = psutil.Process(self.daemon.pid)
                workers = 0
                for child in sorted(daemon.children(), key=lambda each: each.pid):
                    if "oca.store.scrubber" in child.cmdline():
                        found["scrubber"] = child
                    elif "oca.delivery" in child.cmdline():
                        workers += 1
                        found[f"worker-{workers}"] = child
        return found

    def sample(self) -> dict[str, int]:
        """Memory and descriptors of each process; what the devices hold beside packs and parts."""
        seen = {}
        for name, process in self.processes().items():
            with contextlib.suppress(psutil.NoSuchProcess, OSError):
                lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
                own = next((line.split()[1] for line in lines if line.startswith("RssAnon")), None)
                if own is not None:
                    seen[f"{name}: memory"] = int(own) * 1024
                    seen[f"{name}: descriptors"] = process.num_fds()
        seen["devices: beside packs and parts"] = sum(
            size_of(file)
            for device in self.devices
            for file in device.rglob("*")
            if file.parent.name not in ("packs", "staging")
        )
        return seen

    async def _start(self, program: str, *arguments: str) -> Process:
        module = {"oca": "oca.cli", "oca-fill": "fill.cli"}[program]
        with self._log.open("ab") as log:
            return await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", f"from {module} import main; main()", *arguments),
                cwd=ROOT,
                stdout=log,
                stderr=log,
            )


def size_of(file: Path) -> int:
    try:
        return file.stat().st_size if file.is_file() else 0
    except FileNotFoundError:
        return 0
