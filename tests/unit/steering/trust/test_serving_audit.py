from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

from oca.common.errors import SteeringError
from oca.common.messages import Serving
from steering.state.embedded import EmbeddedState
from steering.state.store import StateReader
from steering.trust import audit, serving_audit
from steering.trust.audit import read_entries
from steering.trust.serving_audit import ServingAudit
from tests.unit.steering.api_client import Steering
from tests.unit.steering.made_up import make_report
from tests.waiting import WAIT_S


def actions(state: StateReader) -> list[tuple[int, str]]:
    return [(entry.at_ns, entry.action) for entry in read_entries(state, last=10)]


def hear(noting: ServingAudit, *told: Serving) -> None:
    for serving in told:
        noting.heard("fra1-a", serving, address="192.0.2.1")


@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Writes of the log hang until this is set."""
    gate = threading.Event()

    def late(*told: object, **more: object) -> None:
        gate.wait(30)
        audit.append(*told, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(serving_audit, "append", late)
    yield gate
    gate.set()


async def test_drains_are_written_once_each(state: EmbeddedState) -> None:
    noting = ServingAudit(state, lambda: 5)
    hear(noting, "serving", "serving", "draining", "drained", "drained", "serving", "drained")
    await noting.write_next()
    entries = [(entry.who, entry.place, entry.action, entry.what) for entry in read_entries(state, last=10)]
    assert entries == [("fra1-a", "192.0.2.1", "drain", "fra1-a"), ("fra1-a", "192.0.2.1", "undrain", "fra1-a")]


async def test_drain_is_answered_while_the_log_hangs_and_written_afterwards(
    steering: Steering, hanging: threading.Event
) -> None:
    told: tuple[Serving, ...] = ("serving", "draining", "draining")
    async with asyncio.timeout(WAIT_S):
        for sequence, serving in enumerate(told):
            async with await steering.report(make_report(sequence=sequence + 1, serving=serving)) as response:
                assert response.status == 200
        assert actions(steering.state) == []
        hanging.set()
        while not actions(steering.state):  # noqa: ASYNC110 - the writer wakes nobody
            await asyncio.sleep(0.01)
    assert [action for _, action in actions(steering.state)] == ["drain"]


async def test_entry_that_cannot_be_written_is_written_later_with_its_time(
    state: EmbeddedState, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise SteeringError("the state is full", remedy="raise state.bytes_max")

    times = iter((5, 6))
    noting = ServingAudit(state, lambda: next(times))
    with monkeypatch.context() as patch:
        patch.setattr(serving_audit, "append", full)
        hear(noting, "serving", "draining")
        for _ in range(2):
            with pytest.raises(SteeringError, match="the state is full"):
                await noting.write_next()
    hear(noting, "draining", "serving")
    await noting.write_next()
    assert actions(state) == [(5, "drain"), (6, "undrain")]


async def test_change_that_finds_the_queue_full_is_noted_when_it_is_heard_again(state: EmbeddedState) -> None:
    noting = ServingAudit(state, lambda: 5, waiting_max=1)
    with capture_logs() as lines:
        hear(noting, "serving", "draining", "serving")
        assert [line["action"] for line in lines] == ["undrain"]
        await noting.write_next()
        hear(noting, "serving")
    await noting.write_next()
    assert actions(state) == [(5, "drain"), (5, "undrain")]
