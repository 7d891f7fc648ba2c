"""Debian's Prometheus with the shipped rules, and a small site whose parts are hurt one after the other."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer
from typing import Any

import msgspec

from demo.nats import program as nats_program
from demo.process import Process
from demo.system import COMMANDS
from fill.state import FillState
from fill.tracker import FillTracker
from tests.system.side_by_side import WORKER
from tests.system.test_serve import free_port
from tests.unit.steering.made_up import write_package
from tests.unit.steering.routes_made_up import NEAR, Box
from tests.waiting import WAIT_S, wait_until

NET = f"127.62.{WORKER}"
LINK = f"10.78.{WORKER}.1"
"""An address of a link that is taken away."""
RULES = Path(__file__).resolve().parents[2] / "config/prometheus"
CLIENT_MAX = 4
SLOW_S = 0.7
REFUSED, UNSIGNED = 700, 120
"""More than alerts on rates over 5 and 10 minutes want, in their first seconds."""


def shortened(rules: str) -> str:
    """Rules that are evaluated each second and fire after one: what they ask for stays."""
    return re.sub(r"interval: \d+s", "interval: 1s", re.sub(r"for: \w+", "for: 1s", rules))


class Prometheus:
    """Scrapes every second; its answers are those of its HTTP API."""

    def __init__(self, folder: Path, targets: Mapping[str, Sequence[str]]) -> None:
        for name in ("rules.yml", "alerts.yml"):
            (folder / name).write_text(shortened((RULES / name).read_text()))
        jobs = [{"job_name": job, "static_configs": [{"targets": list(of)}]} for job, of in targets.items()]
        settings = {
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
            "rule_files": ["rules.yml", "alerts.yml"],
            "scrape_configs": jobs,
        }
        (folder / "prometheus.yml").write_text(json.dumps(settings))  # JSON is YAML
        self._url = f"http://{NET}.9:9090"
        listen = f"--web.listen-address={NET}.9:9090"
        paths = (f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'tsdb'}")
        self.process = Process("prometheus", ["prometheus", listen, *paths], folder / "prometheus.log")

    def ask(self, expression: str) -> list[Any]:
        """The vector that an expression gives now."""
        query = urllib.parse.urlencode({"query": expression})
        with urllib.request.urlopen(f"{self._url}/api/v1/query?{query}", timeout=WAIT_S) as answer:
            found: list[Any] = json.load(answer)["data"]["result"]
            return found

    def fired(self) -> set[str]:
        """Alerts that have fired at any time."""
        return {one["metric"]["alertname"] for one in self.ask('max_over_time(ALERTS{alertstate="firing"}[15m])')}


def answers(check: Callable[[], bool]) -> Callable[[], bool]:
    """The check, which fails while somebody does not answer."""

    def checked() -> bool:
        try:
            return check()
        except OSError:
            return False

    return checked


class Slow(ThreadingHTTPServer):
    """An origin that has everything, late."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__((f"{NET}.8", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        time.sleep(SLOW_S)
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(bytes(1000))

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Forwarder(ThreadingTCPServer):
    """What lies between viewers and a box's delivery port."""

    daemon_threads = True

    def __init__(self, host: str, to: tuple[str, int]) -> None:
        super().__init__((host, 0), _Pipe)
        self.to = to
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        host, port = self.server_address[:2]
        return f"http://{host!s}:{port}"

    def end(self) -> None:
        self.shutdown()
        self.server_close()


class _Pipe(BaseRequestHandler):
    server: Forwarder

    def handle(self) -> None:
        with suppress(OSError), socket.create_connection(self.server.to, timeout=WAIT_S) as box:
            while ready := select.select([self.request, box], [], [], WAIT_S)[0]:
                for side in ready:
                    data = side.recv(65536)
                    if not data:
                        return
                    (box if side is self.request else self.request).sendall(data)


class Site:
    """Steering and two boxes: ``sick`` is hurt in every way, ``gone`` is taken out and then killed.

    ``shared`` is a steering without boxes, whose state is in NATS.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.steering = f"{NET}.1:8090"
        self.admins = {"sick": f"{NET}.2:8088", "gone": f"{NET}.3:8088"}
        self.shared = f"{NET}.4:8090"
        self.nats = f"{NET}.5:4222"
        self.delivery = free_port()
        self._forwarders = {
            name: Forwarder(f"{NET}.6", (f"{NET}.{number}", self.delivery))
            for number, name in enumerate(self.admins, start=2)
        }
        self._processes: dict[str, Process] = {}
        self._origin = Slow()
        threading.Thread(target=self._origin.serve_forever, daemon=True).start()

    def config(self, name: str) -> Path:
        return self.folder / f"{name}.toml"

    def start(self) -> None:
        subprocess.run(["ip", "address", "add", f"{LINK}/32", "dev", "lo"], check=True)
        self._write()
        write_package(self.folder / "library" / "harbour")
        self.run("oca-steering", "publish", str(self.folder / "library" / "harbour"), "--title", "harbour")
        nats = [nats_program(), "-c", str(self.folder / "nats.conf")]
        self._processes["nats"] = Process("nats", nats, self.folder / "nats.log")
        self._begin("steering", "oca-steering", "serve")
        self._begin("shared", "oca-steering", "serve")
        wait_until(answers(lambda: bool(self.ask(self.steering, "/health"))))
        token = self.run("oca-steering", "enrol", "create", "--appliance", "sick")
        self.run("oca", "enrol", "--token", token.strip(), config="sick")
        source = self.folder / "film"
        source.mkdir()
        (source / "1.m4s").write_bytes(os.urandom(2**18))
        self.run("oca", "store", "import", str(source), "--asset", "film/v", "--mount", "/film", config="sick")
        old = FillTracker("sick", started_at_ns=1)
        old.ended()
        FillState(self.device(0)).show(old.snapshot(time.time_ns() - 30 * 3600 * 10**9), bytes_in=0)
        for name in self.admins:
            self._begin(name, "oca", "serve")
        wait_until(answers(lambda: all(row["report_age_s"] is not None for row in self.fleet())))

    def stop(self) -> None:
        for process in self._processes.values():
            process.kill()
        subprocess.run(["ip", "address", "del", f"{LINK}/32", "dev", "lo"], check=False, capture_output=True)
        for name in list(self._forwarders):
            self.is_cut_off(name)
        self._origin.shutdown()
        self._origin.server_close()

    def device(self, number: int) -> Path:
        return self.folder / f"sick-nvme{number}"

    def run(self, program: str, *arguments: str, config: str = "steering") -> str:
        command = [str(COMMANDS / program), *arguments, "--config", str(self.config(config))]
        done = subprocess.run(command, capture_output=True, text=True, timeout=WAIT_S, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def ask(self, authority: str, path: str, body: dict[str, Any] | None = None) -> Any:
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(f"http://{authority}{path}", data, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=WAIT_S) as answer:
            return json.load(answer)

    def fleet(self) -> list[Any]:
        rows: list[Any] = self.ask(self.steering, "/v1/fleet")["appliances"]
        return rows

    def get(self, path: str) -> None:
        url = f"http://{NET}.2:{self.delivery}{path}"
        with suppress(urllib.error.HTTPError), urllib.request.urlopen(url, timeout=WAIT_S) as answer:
            answer.read()

    def workers(self) -> list[int]:
        return [one["pid"] for one in self.ask(self.admins["sick"], "/v1/status")["workers"] if one["ready"]]

    # ---- faults, each named by what it is; mildest first, for the later ones take the box away ----

    def is_asked_for_what_it_lacks(self) -> None:
        for number in range(40):
            self.get(f"/film/{number}.none")

    def has_slow_origin(self) -> None:
        threads = [threading.Thread(target=self.get, args=(f"/pull/{number}.m4s",)) for number in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def has_players_that_starve(self) -> None:
        for number in range(20):
            self.get("/film/1.m4s?" + urllib.parse.urlencode({"CMCD": f'bs,sid="{number}"'}))

    def has_client_with_too_many_connections(self) -> None:
        for _ in range(REFUSED // 50):
            connections = [socket.create_connection((f"{NET}.2", self.delivery)) for _ in range(50)]
            for connection in connections:
                connection.close()

    def hears_unsigned_reports(self) -> None:
        for _ in range(UNSIGNED):
            with suppress(urllib.error.HTTPError):
                self.ask(self.steering, "/v1/appliances/sick/report", {})

    def has_no_source_for_a_title(self) -> None:
        for _ in range(5):
            with suppress(urllib.error.HTTPError):
                self.ask(self.steering, "/v1/playback", {"title": "harbour", "client": f"{NET}.7"})

    def has_workers_that_do_not_run(self) -> None:
        for pid in self.workers():
            for _ in range(5):
                os.kill(pid, signal.SIGSTOP)
                time.sleep(0.3)
                os.kill(pid, signal.SIGCONT)
                time.sleep(0.05)

    def has_workers_that_die(self) -> None:
        for _ in range(2):
            wait_until(lambda: len(self.workers()) == 2)
            before = set(self.workers())
            for pid in before:
                os.kill(pid, signal.SIGKILL)
            wait_until(partial(self._has_none_of, before))

    def has_damaged_pack(self) -> None:
        pack = next(path for number in (0, 1) for path in self.device(number).glob("packs/*.pack"))
        with pack.open("r+b") as file:
            file.seek(pack.stat().st_size // 2)
            file.write(bytes(64))

    def loses_a_link(self) -> None:
        subprocess.run(["ip", "address", "del", f"{LINK}/32", "dev", "lo"], check=True)

    def loses_its_devices(self) -> None:
        for number in (1, 0):
            self.device(number).rename(self.folder / f"gone{number}")

    def is_taken_out(self) -> None:
        self.run("oca", "drain", config="gone")
        wait_until(lambda: self.ask(self.admins["gone"], "/v1/status")["serving"] == "drained")

    def is_cut_off(self, name: str) -> None:
        self._forwarders.pop(name).end()

    def has_isolated_observer(self) -> bool:
        (observer,) = self.ask(self.steering, "/v1/observers")["observers"]
        return str(observer["abstains"]).startswith("isolated")

    def is_drained_from_steering(self) -> None:
        self.run("oca-steering", "drain", "--appliance", "sick")

    def tells_of_default_route(self) -> None:
        batch = Box("gone").batch({"0.0.0.0/0": NEAR}, whole=True)
        said = json.loads(msgspec.json.encode(batch))
        assert not self.ask(self.steering, "/v1/appliances/gone/routes", said)["full_wanted"]

    def loses(self, name: str) -> None:
        self._processes.pop(name).kill()

    def _has_none_of(self, workers: set[int]) -> bool:
        return workers.isdisjoint(self.workers())

    def _begin(self, name: str, program: str, *arguments: str) -> None:
        command = [str(COMMANDS / program), *arguments, "--config", str(self.config(name))]
        self._processes[name] = Process(name, command, self.folder / f"{name}.log")

    def _write(self) -> None:
        appliances = "".join(f'[[site.appliance]]\nid = "{name}"\n' for name in self.admins)
        self.config("steering").write_text(
            f'[api]\nlisten = "{self.steering}"\n[state]\npath = "{self.folder / "state"}"\nbytes_max = 67108864\n'
            f'[origin]\nurl = "http://{NET}.8:9"\nfor_players = false\n'
            f"[probes]\ninterval_s = 1\n"
            f'[[site]]\nid = "here"\nprefixes = ["{NET}.0/24"]\n{appliances}'
        )
        self.config("shared").write_text(
            f'[api]\nlisten = "{self.shared}"\n[state]\nengine = "nats"\npath = "{self.folder / "shared"}"\n'
            f'bytes_max = 67108864\n[state.nats]\nurls = ["nats://{self.nats}"]\nreplicas = 1\n'
        )
        kept = self.folder / "nats"
        (self.folder / "nats.conf").write_text(f'listen: "{self.nats}"\njetstream {{ store_dir: "{kept}" }}\n')
        for number, (name, admin) in enumerate(self.admins.items(), start=2):
            devices = [self.folder / f"{name}-nvme{each}" for each in (0, 1)]
            for device in devices:
                device.mkdir()
            links = f'"{NET}.{number}:{self.delivery}"' + (f', "{LINK}:{self.delivery}"' if name == "sick" else "")
            self.config(name).write_text(
                f'[appliance]\nid = "{name}"\nsite = "here"\n[delivery]\nlisten = [{links}]\nworkers = 2\ndrain_s = 1\n'
                f'urls = ["{self._forwarders[name].url}"]\n'
                f"connections_per_client_max = {CLIENT_MAX}\n[delivery.cmcd]\nquality = true\n"
                f'[delivery.miss]\npolicy = "fetch"\norigin_url = "http://{NET}.8:{self._origin.server_port}"\n'
                f'[admin]\nlisten = "{admin}"\n[store]\ndevices = {json.dumps([str(each) for each in devices])}\n'
                f"reserve_ratio = 0.0\n[store.scrub]\ninterval_s = 1\n[drain]\nduration_s_max = 1\n"
                f'[steering]\nurl = "http://{self.steering}"\nreport_interval_s = 0.5\n'
                f'identity_file = "{self.folder / f"{name}.json"}"\n'
            )
