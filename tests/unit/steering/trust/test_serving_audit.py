from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from oca.common.messages import Serving
from steering.state.embedded import EmbeddedState
from steering.trust import serving_audit
from steering.trust.audit import read_entries
from steering.trust.serving_audit import ServingAudit
from tests.unit.steering.api_client import Steering
from tests.unit.steering.made_up import make_report


async def test_drains_are_written_once_each(state: EmbeddedState) -> None:
    audit = ServingAudit(state, lambda: 5)
    told: tuple[Serving, ...] = ("serving", "serving", "draining", "drained", "drained", "serving", "drained")
    for serving in told:
        await audit.heard("fra1-a", serving, address="192.0.2.1")
    entries = [(entry.who, entry.place, entry.action) for entry in read_entries(state, last=10)]
    assert entries == [("fra1-a", "192.0.2.1", "drain"), ("fra1-a", "192.0.2.1", "undrain")]


async def test_drain_in_reports_reaches_the_log(steering: Steering) -> None:
    told: tuple[Serving, ...] = ("serving", "draining", "draining")
    for sequence, serving in enumerate(told):
        async with await steering.report(make_report(sequence=sequence + 1, serving=serving)) as response:
            assert response.status == 200
    assert [entry.action for entry in read_entries(steering.state, last=10)] == ["drain"]


async def test_log_that_cannot_be_written_refuses_no_report(
    state: EmbeddedState, monkeypatch: pytest.MonkeyPatch
) -> None:
    from oca.common.errors import SteeringError

    def full(*_: object, **__: object) -> None:
        raise SteeringError("the state is full", remedy="raise state.bytes_max")

    monkeypatch.setattr(serving_audit, "append", full)
    audit = ServingAudit(state, lambda: 5)
    with capture_logs() as lines:
        for serving in ("serving", "draining"):
            await audit.heard("fra1-a", serving, address="192.0.2.1")
    assert [line["event"] for line in lines] == ["the audit log cannot be written"]
