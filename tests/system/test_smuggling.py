"""Request smuggling, over sockets, to the appliance and to nginx: each vector is refused, or answered as nginx does."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.conformance.nginx import nginx_serving
from tests.conformance.smuggling import VECTORS, Vector
from tests.conformance.wire import Address, FramingError, Response, exchange, responses
from tests.system.test_serve import HOST, Box, box

pytestmark = pytest.mark.system

__all__ = ["box"]
HIDDEN = b"what the hidden request asks for"


def answers(address: Address, vector: Vector) -> Sequence[Response]:
    return responses(exchange(address, vector.data, ends=True), methods=vector.methods)


def seen(answer: Response) -> tuple[int, bytes]:
    """An error's text is the server's affair."""
    return answer.status, answer.body if answer.status < 300 else b""


@contextlib.contextmanager
def both_serving(box: Box, folder: Path) -> Iterator[tuple[Address, Address]]:
    """The appliance and nginx with the same two files."""
    root = folder / "www"
    (root / "film").mkdir(parents=True)
    (root / "film" / "1.m4s").write_bytes(b"one")
    (root / "film" / "hidden.m4s").write_bytes(HIDDEN)
    for parent in (folder, *folder.parents[:3]):
        parent.chmod(0o755)  # nginx's worker reads as another user
    loaded = box.run(
        *("store", "import", str(root / "film"), "--asset", "film/all", "--mount", "/film"),
        *("--config", str(box.config)),
    )
    assert loaded.returncode == 0, loaded.stderr
    with box.serving(), nginx_serving(root, folder, HOST) as nginx:
        yield (HOST, box.delivery), nginx


def test_no_request_is_smuggled(box: Box, tmp_path: Path) -> None:
    wrong = []
    assert len({vector.name for vector in VECTORS}) == len(VECTORS) >= 60
    with both_serving(box, tmp_path) as (ours, nginx):
        for vector in VECTORS:
            mine = answers(ours, vector)
            statuses = tuple(each.status for each in mine)
            if statuses != vector.statuses:
                wrong.append(f"{vector.name}: {statuses}, not {vector.statuses}")
            if statuses[-1:] < (400,):  # not refused: then as nginx does
                try:
                    theirs = answers(nginx, vector)
                except FramingError as error:
                    wrong.append(f"{vector.name}: nginx does not speak HTTP: {error}")
                    continue
                if list(map(seen, mine)) != list(map(seen, theirs)):
                    wrong.append(f"{vector.name}: {statuses}, nginx {[each.status for each in theirs]}")
            elif any(each.body == HIDDEN for each in mine):
                wrong.append(f"{vector.name}: the hidden request was answered")
    assert not wrong, "\n".join(wrong)
