"""Fuzz oca/http1 for FUZZ_SECONDS (an hour unless told otherwise) and write down what came of it: `make fuzz`.

The corpus stays in .fuzz/; the next run goes on from it and adds its time and executions to those before. `make clean`
begins anew. A finding is kept there too, and the command that shows it again is printed.
"""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

from tests.fuzz.fragments import dictionary, seeds

SECONDS = int(os.environ.get("FUZZ_SECONDS") or 3600)
WORK = Path(".fuzz")
OUTCOME = Path(__file__).with_name("outcome.json")
_PROGRESS = re.compile(r"cov: (\d+) ft: (\d+) corp: (\d+)/\S+")
_RUNS = re.compile(r"stat::number_of_executed_units: +(\d+)")
_TOTAL = WORK / "total.json"


def main() -> int:
    """Run, show progress, record."""
    corpus = WORK / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds()):
        (corpus / f"seed-{number}").write_bytes(seed)
    (WORK / "dictionary").write_text(dictionary())
    options = (f"-max_total_time={SECONDS}", "-print_final_stats=1", "-max_len=2500", "-len_control=20", "-timeout=20")
    places = (f"-dict={WORK / 'dictionary'}", f"-artifact_prefix={WORK}/", str(corpus))
    fuzzer = subprocess.Popen(
        [sys.executable, "-m", "tests.fuzz.http1", *options, *places],
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    )
    assert fuzzer.stderr is not None
    began_s = time.monotonic()
    said = ""
    for line in fuzzer.stderr:
        said = (said + line)[-200_000:]
        if not line.startswith("#") or "pulse" in line:
            print(line, end="", file=sys.stderr, flush=True)
    found = sorted(
        each.name for each in WORK.iterdir() if each.name.startswith(("crash-", "timeout-", "oom-", "leak-"))
    )
    for name in found:
        print(f"finding: python -m tests.fuzz.http1 {WORK / name}", file=sys.stderr)
    progress, runs = _PROGRESS.findall(said), _RUNS.search(said)
    failed = fuzzer.wait() != 0
    if not progress or runs is None:
        return 1
    edges, features, inputs = map(int, progress[-1])
    before = json.loads(_TOTAL.read_text()) if _TOTAL.exists() else {"seconds": 0, "executions": 0}
    total = {
        "seconds": before["seconds"] + round(time.monotonic() - began_s),
        "executions": before["executions"] + int(runs[1]),
    }
    _TOTAL.write_text(json.dumps(total))
    outcome = {
        **total,
        "corpus_inputs": inputs,
        "edges_covered": edges,
        "features": features,
        "findings": found,
        "atheris": version("atheris"),
        "python": platform.python_version(),
    }
    OUTCOME.write_text(json.dumps(outcome, indent=1) + "\n")
    print(json.dumps(outcome, indent=1))
    return 1 if found or failed else 0


if __name__ == "__main__":
    sys.exit(main())
