"""Real programs trace to a collector by OTLP over HTTP: a fill with its plan and report, a playback with a decision."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from demo.process import Process
from demo.system import COMMANDS
from tests.system.scraping import answers
from tests.system.side_by_side import WORKER
from tests.system.test_serve import free_port
from tests.unit.steering.made_up import write_package
from tests.waiting import wait_until

pytestmark = [pytest.mark.system, pytest.mark.long]

NET = f"127.63.{WORKER}"
STEERING = f"{NET}.1:8090"
ADMIN = f"{NET}.2:8088"
TOKEN = "0123456789abcdef-collector"
CALLER = f"00-{0xCA11:032x}-{0xE4:016x}-01"


class Seen(NamedTuple):
    """A span as the collector got it."""

    service: str
    name: str
    trace: str
    span: str
    parent: str


class Collector(ThreadingHTTPServer):
    """Takes OTLP over HTTP in protobuf, packed, from whoever shows the token."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__((f"{NET}.9", 0), _Handler)
        self.seen: list[Seen] = []
        self.refused = 0
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def endpoint(self) -> str:
        return f"http://{NET}.9:{self.server_port}/v1/traces"

    def named(self, name: str) -> list[Seen]:
        return [span for span in list(self.seen) if span.name == name]

    def above(self, span: Seen) -> list[str]:
        """The span's name and those of all above it that are here, up to the root."""
        by_id = {each.span: each for each in list(self.seen)}
        names = [f"{span.service}: {span.name}"]
        while (found := by_id.get(span.parent)) is not None:
            span = found
            names.append(f"{span.service}: {span.name}")
        return names


class _Handler(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        right = self.headers["Authorization"] == f"Bearer {TOKEN}" and self.headers["Content-Encoding"] == "gzip"
        self.server.refused += not right
        self.send_response(200 if right else 401)
        self.end_headers()
        for group in ExportTraceServiceRequest.FromString(gzip.decompress(raw)).resource_spans if right else ():
            named = {each.key: each.value.string_value for each in group.resource.attributes}
            self.server.seen += [
                Seen(
                    named["service.name"], span.name, span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex()
                )
                for scope in group.scope_spans
                for span in scope.spans
            ]

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    made = Collector()
    yield made
    made.server_close()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, collector: Collector) -> Iterator[Path]:
    """Origin, steering and a box that trace; the folder of their settings."""
    tmp_path = tmp_path_factory.mktemp("tracing")
    write_package(tmp_path / "library" / "harbour")
    write_settings(tmp_path, collector.endpoint)
    origin = ["-m", "demo.origin", "--folder", str(tmp_path / "library"), "--listen", f"{NET}.8:8070"]
    processes = [Process("origin", [sys.executable, *origin], tmp_path / "origin.log")]
    try:
        run(tmp_path, "oca-steering", "publish", str(tmp_path / "library" / "harbour"), "--title", "harbour")
        for program, config in (("oca-steering", "steering"), ("oca", "box")):
            command = [str(COMMANDS / program), "serve", "--config", str(tmp_path / f"{config}.toml")]
            processes.append(Process(config, command, tmp_path / f"{config}.log"))
        wait_until(answers(lambda: "\noca_steering_connected 1.0\n" in ask(ADMIN, "/metrics")))
        yield tmp_path
    finally:
        for process in processes:
            process.kill()


def write_settings(folder: Path, endpoint: str) -> None:
    (folder / "token").write_text(f"{TOKEN}\n")
    (folder / "device").mkdir()
    tracing = f'[tracing]\nendpoint = "{endpoint}"\ntoken_file = "{folder / "token"}"\n'
    (folder / "steering.toml").write_text(
        f'[api]\nlisten = "{STEERING}"\n[state]\npath = "{folder / "state"}"\nbytes_max = 67108864\n'
        f'[origin]\nurl = "http://{NET}.8:8070"\n{tracing}sample = 0.0\n'
        f'[[site]]\nid = "here"\nprefixes = ["{NET}.0/24"]\n[[site.appliance]]\nid = "box-a"\n'
    )
    (folder / "box.toml").write_text(
        f'[appliance]\nid = "box-a"\nsite = "here"\n[delivery]\nlisten = ["{NET}.2:{free_port()}"]\nworkers = 1\n'
        f'[admin]\nlisten = "{ADMIN}"\n[store]\ndevices = ["{folder / "device"}"]\nreserve_ratio = 0.0\n'
        f'[steering]\nurl = "http://{STEERING}"\nreport_interval_s = 0.5\nidentity_file = ""\n{tracing}sample = 1.0\n'
    )
    (folder / "fill.toml").write_text('[box]\nconfig = "box.toml"\n')


def run(folder: Path, program: str, *arguments: str, config: str = "steering") -> str:
    command = [str(COMMANDS / program), *arguments, "--config", str(folder / f"{config}.toml")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def ask(authority: str, path: str, **headers: str) -> str:
    body = json.dumps({"title": "harbour"}).encode() if "traceparent" in headers else None
    request = urllib.request.Request(f"http://{authority}{path}", body, {"Content-Type": "application/json", **headers})
    with urllib.request.urlopen(request, timeout=10) as answer:
        text: str = answer.read().decode()
        return text


def test_collector_sees_fill_and_playback_each_as_one_trace(site: Path, collector: Collector) -> None:
    run(site, "oca-fill", "run", "--now", config="fill")
    ask(STEERING, "/v1/playback", traceparent=CALLER)
    wanted = ("fill", "plan", "decide", "GET /v1/appliances/{appliance}/fill-plan", "report")
    wait_until(lambda: all(collector.named(name) for name in wanted))
    (fill,) = collector.named("fill")
    wait_until(lambda: collector.above(fill)[-1] == "oca: report")
    report = "POST /v1/appliances/{appliance}/report"
    plan = "GET /v1/appliances/{appliance}/fill-plan"
    assert collector.above(fill) == [
        "oca-fill: fill",
        f"oca-steering: {plan}",
        f"oca-steering: {report}",
        f"oca: {report}",
        "oca: report",
    ]
    assert collector.above(collector.named("plan")[0])[:2] == ["oca-steering: plan", f"oca-steering: {plan}"]
    manifest = "GET /v1/appliances/{appliance}/assets/{asset}"
    served = [span for span in collector.named(manifest) if span.service == "oca-steering"]
    assert collector.above(served[0])[:4] == [
        f"oca-steering: {manifest}",
        f"oca-fill: {manifest}",
        "oca-fill: fill asset",
        "oca-fill: fill",
    ]
    (decision,) = collector.named("decide")
    assert collector.above(decision) == ["oca-steering: decide", "oca-steering: POST /v1/playback"]
    assert int(decision.trace, 16) == 0xCA11
    assert not collector.refused
    wait_until(lambda: 'oca_tracing_spans_total{outcome="lost"} 0.0' in ask(ADMIN, "/metrics"))


def test_programs_go_on_without_their_collector(site: Path, collector: Collector) -> None:
    collector.shutdown()  # the one above was its last
    collector.server_close()
    ask(STEERING, "/v1/playback", traceparent=CALLER)
    for authority in (STEERING, ADMIN):
        wait_until(lambda where=authority: not _lost_none(ask(where, "/metrics")))  # type: ignore[misc]
    assert "oca_steering_connected 1.0" in ask(ADMIN, "/metrics")
    said = [line for line in (site / "box.log").read_text().splitlines() if "does not take spans" in line]
    assert len(said) == 1
    assert "refused" in said[0]


def _lost_none(metrics: str) -> bool:
    return 'oca_tracing_spans_total{outcome="lost"} 0.0' in metrics
