"""A running service that traces into memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from steering.settings import SteeringSettings
from steering.state.embedded import EmbeddedState
from tests.unit.steering.api_client import Steering
from tests.unit.steering.made_up import make_contents, make_report
from tests.unit.tracing import Collector

CALLER = f"00-{0xA:032x}-{0xB:016x}-01"
"""A span of a service that asks for a playback."""


def traced_settings(settings: SteeringSettings, **changes: Any) -> SteeringSettings:
    """The same with traces on."""
    table = replace(settings.tracing, endpoint="http://127.0.0.1:9/v1/traces", **changes)
    return replace(settings, tracing=table)


def trace_into(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the next service trace there."""
    opened: Callable[..., Any] = lambda *_, **__: collector.tracer  # noqa: E731
    monkeypatch.setattr("steering.service.open_tracing", opened)


@asynccontextmanager
async def traced_steering(
    state: EmbeddedState, settings: SteeringSettings, package: Path, monkeypatch: pytest.MonkeyPatch, **headers: str
) -> AsyncIterator[tuple[Steering, Collector]]:
    """With a title, which a box holds and tells of; nothing is traced but what others trace already."""
    collector = Collector(sample=0.0)
    trace_into(collector, monkeypatch)
    async with Steering(state, traced_settings(settings)) as steering:
        held = steering.publish(package)
        async with await steering.report(make_report("metro-a", contents=make_contents(held)), headers=headers) as told:
            assert told.status == 200
        yield steering, collector
    collector.tracer.close()
