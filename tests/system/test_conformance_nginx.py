"""Ten thousand generated requests, to the appliance and to a real nginx with the same files: each answered as the RFCs
want, and every difference between the two explained (tests/conformance/differences.py, docs/conformance.md).
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.conformance.cases import MODIFIED_AT_S, OBJECTS, Case, cases
from tests.conformance.differences import BESIDE, CLASSES, explain
from tests.conformance.expected import expected
from tests.conformance.nginx import nginx_serving
from tests.conformance.observe import Seen, observe, parts, tags
from tests.conformance.wire import Address
from tests.system.test_serve import HOST, Box, box

pytestmark = pytest.mark.system

__all__ = ["box"]
COUNT = 10_000
SEED = int(os.environ.get("SEED") or 9110)
"""`make test SEED=…` asks other questions."""
DOCS = Path(__file__).resolve().parents[2] / "docs" / "conformance.md"


def ask(address: Address, asked: Sequence[Case], content: dict[str, bytes]) -> list[Seen]:
    known = tags(address)
    return [observe(address, case, known[case.object], content) for case in asked]


def wrong(case: Case, seen: Seen, content: bytes) -> str:
    """What of our answer is not as the RFCs want it; empty when nothing is."""
    want = expected(case)
    if seen.broken:
        return seen.broken
    if seen.status not in want.statuses:
        return f"status {seen.status}, not {sorted(want.statuses)}"
    if seen.lives != want.lives:
        return f"the connection {'lives' if seen.lives else 'ends'}"
    if seen.status in (200, 206, 304) and not seen.has_tag:
        return "no entity tag"
    if case.method == "HEAD":
        return f"a body of {len(seen.body)} bytes" if seen.body else ""
    if seen.status == 200 and seen.body != content:
        return f"{len(seen.body)} bytes that are not the object's"
    sent = parts(seen, len(content))
    if seen.status == 206 and (not sent or any(content[at : at + len(data)] != data for at, data in sent)):
        return "ranges that are not the object's"
    return ""


def test_appliance_answers_as_the_rfcs_want_and_as_nginx_does(box: Box, tmp_path: Path) -> None:
    print(f"seed {SEED}")
    root, folder = tmp_path / "www", tmp_path / "nginx"
    (root / "film").mkdir(parents=True)
    folder.mkdir()
    for parent in (tmp_path, *tmp_path.parents[:3]):
        parent.chmod(0o755)  # nginx's worker reads as another user
    bytes_of = random.Random(SEED)
    content = {name: bytes_of.randbytes(size) for name, size in OBJECTS.items()}
    for name, data in content.items():
        (root / "film" / name).write_bytes(data)
        os.utime(root / "film" / name, (MODIFIED_AT_S, MODIFIED_AT_S))
    loaded = box.run(
        *("store", "import", str(root / "film"), "--asset", "film/all", "--mount", "/film"),
        *("--config", str(box.config)),
    )
    assert loaded.returncode == 0, loaded.stderr
    asked = cases(COUNT, SEED)
    with box.serving(), nginx_serving(root, folder, HOST) as nginx, ThreadPoolExecutor(2) as both:
        answers = [both.submit(ask, address, asked, content) for address in ((HOST, box.delivery), nginx)]
        ours, theirs = (answer.result() for answer in answers)

    faults = [
        f"{fault}: {case.data('{etag}')!r}"
        for case, seen in zip(asked, ours, strict=True)
        if (fault := wrong(case, seen, content[case.object]))
    ]
    assert not faults, f"seed {SEED}: {len(faults)} answers are wrong, such as {faults[:5]}"
    seen_classes: Counter[str] = Counter()
    unexplained = []
    for case, mine, other in zip(asked, ours, theirs, strict=True):
        names = explain(case, mine, other)
        seen_classes.update(["none"] if names == [] else names or [])
        if names is None:
            unexplained.append(f"{case.data('{etag}')!r} {case.kinds}: ours {mine}, nginx's {other}")
    assert not unexplained, f"seed {SEED}: {len(unexplained)} differences unexplained, such as {unexplained[:3]}"
    for name, count in sorted(seen_classes.items()):
        print(f"{count:6} {name}")
    unmet = {each.name for each in (*CLASSES, *BESIDE) if not each.rare} - set(seen_classes)
    assert not unmet, f"no longer met, so no class: {unmet}"


def test_docs_name_every_class_of_difference() -> None:
    rows = DOCS.read_text().splitlines()
    assert [each.row for each in (*CLASSES, *BESIDE) if each.row not in rows] == []
