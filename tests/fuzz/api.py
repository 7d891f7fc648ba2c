"""Fuzz every endpoint of a real oca-steering from its OpenAPI document with schemathesis: `make fuzz-api`.

Anything but what the document says is a finding: a status above 499, one that is not documented, another media type, a
body or header that is not as described.
"""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from importlib.metadata import version
from pathlib import Path

import msgspec

from demo.children import spawn_tied
from tests.unit.steering.made_up import make_contents, make_report, write_package

ADDRESS = "127.0.105.1:8090"
SECONDS = int(os.environ.get("FUZZ_SECONDS") or 1800)
OUTCOME = Path(__file__).with_name("api_outcome.json")
COMMANDS = Path(sys.executable).parent
ROOT = Path(__file__).resolve().parents[2]
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)
STEERING = """
[api]
listen = "{address}"
[state]
path = "{folder}/state"
[origin]
url = "http://origin.example"
[fleet]
report_interval_s = 300
[probes]
interval_s = 0
[turnup]
wanted = false
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


def fuzz(folder: Path, *, seconds: int, seed: int, address: str = ADDRESS) -> tuple[int, str]:
    """Start a service with a title and its appliances, fuzz it, end it.

    Returns:
        schemathesis's exit code, and all it said.
    """
    settings = folder / "steering.toml"
    settings.write_text(STEERING.format(address=address, folder=folder))
    package = write_package(folder / "library" / "harbour")
    log = (folder / "steering.log").open("ab")
    service = spawn_tied([str(COMMANDS / "oca-steering"), "serve", "--config", str(settings)], stdout=log, stderr=log)
    try:
        _fill(address, settings, package)
        arguments = [
            *("run", f"http://{address}/openapi.json"),
            *("--max-time", str(seconds), "--seed", str(seed), "--checks", ",".join(CHECKS)),
            *(
                "--phases",
                "coverage,fuzzing",
                "--request-timeout",
                "20",
                "--output-truncate",
                "true",
            ),
        ]
        tester = spawn_tied(
            [str(COMMANDS / "st"), *arguments],
            cwd=folder,
            env={**os.environ, "SCHEMATHESIS_HOOKS": "tests.fuzz.api_hooks", "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        try:
            said = tester.communicate(timeout=seconds + 120)[0].decode(errors="replace")
        finally:
            tester.kill()
        if service.poll() is not None:
            return 1, f"oca-steering ended: {(folder / 'steering.log').read_text()[-4000:]}"
        return tester.returncode, said
    finally:
        service.terminate()
        service.wait(20)
        log.close()


def _fill(address: str, settings: Path, package: Path) -> None:
    """Publish a title and have every appliance report that it holds it."""
    until_s = time.monotonic() + 30
    while True:
        try:
            _ask(address, "/health")
            break
        except OSError:
            if time.monotonic() > until_s:
                raise
            time.sleep(0.1)
    publish: list[str | Path] = ["publish", package, "--title", "harbour", "--config", settings]
    subprocess.run([COMMANDS / "oca-steering", *publish], check=True, capture_output=True)
    while not (titles := json.loads(_ask(address, "/v1/titles"))["titles"]):
        time.sleep(0.1)
    contents = make_contents(dict(_revisions(address, titles)))
    for name, site in (("metro-a", "metro"), ("metro-b", "metro"), ("region-a", "region")):
        body = msgspec.json.encode(make_report(name, site, contents=contents, sent_at_ns=time.time_ns()))
        _ask(address, f"/v1/appliances/{name}/report", body)


def _revisions(address: str, titles: list[dict[str, list[dict[str, str]]]]) -> list[tuple[str, str]]:
    names = [asset["asset"] for title in titles for asset in title["assets"]]
    return [(name, json.loads(_ask(address, f"/v1/appliances/metro-a/assets/{name}"))["revision"]) for name in names]


def _ask(address: str, path: str, body: bytes | None = None) -> bytes:
    request = urllib.request.Request(f"http://{address}{path}", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return bytes(answer.read())


def main() -> int:
    """Fuzz for FUZZ_SECONDS (half an hour unless told otherwise) and write down what came of it."""
    seed = int(os.environ.get("SEED") or time.time_ns() % 2**31)
    with tempfile.TemporaryDirectory() as folder:
        code, said = fuzz(Path(folder), seconds=SECONDS, seed=seed)
    print(said)
    cases = re.search(r"(\d[\d,]*) generated", said)
    operations = re.search(r"Tested:\s+(\d+)", said)
    outcome = {
        "seconds": SECONDS,
        "seed": seed,
        "operations": int(operations[1]) if operations else 0,
        "cases": int(cases[1].replace(",", "")) if cases else 0,
        "findings": re.findall(r"^ +❌ (.*)$", said.partition("Failures:")[2], re.MULTILINE),
        "schemathesis": version("schemathesis"),
        "python": platform.python_version(),
    }
    OUTCOME.write_text(json.dumps(outcome, indent=1) + "\n")
    print(json.dumps(outcome, indent=1))
    return code


if __name__ == "__main__":
    sys.exit(main())
