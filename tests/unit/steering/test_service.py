from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from msgspec.structs import replace

from oca.common.errors import ConfigError
from steering import service as service_module
from steering.planner import make_plans, planned_at_ns
from steering.publish import publish
from steering.service import Service, read_tokens
from steering.settings import SteeringSettings
from steering.state.embedded import EmbeddedState
from tests.unit.steering.api_client import TITLE, Steering
from tests.unit.steering.made_up import make_settings, make_site


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110 - what is waited for is state on disk, which wakes nobody
            await asyncio.sleep(0.01)


async def test_service_takes_up_what_is_published_while_it_runs(steering: Steering, package: Path) -> None:
    publish(package, TITLE, steering.state, progress=lambda done, total: None)
    await until(lambda: "harbour" in steering.service.decider.catalogue.titles)


async def test_service_says_when_its_address_is_taken(state: EmbeddedState) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        settings = make_settings()
        service = Service(replace(settings, api=replace(settings.api, listen=f"127.0.0.1:{port}")), state)
        with pytest.raises(ConfigError, match=rf"listen = '127\.0\.0\.1:{port}': address already in use; .*ss -ltnp"):
            await service.start()


async def test_service_plans_at_once_when_the_night_was_missed(
    state: EmbeddedState, settings: SteeringSettings
) -> None:
    make_plans(state, settings, now_ns=1)
    async with Steering(state, settings):
        await until(lambda: planned_at_ns(state) > 1)


async def test_service_plans_when_the_time_comes(
    state: EmbeddedState, settings: SteeringSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    wall = [datetime(2026, 1, 1, 1, 29, tzinfo=UTC)]
    monkeypatch.setattr(service_module, "_local_now", lambda: wall[0])
    monkeypatch.setattr(service_module, "now_ns", lambda: int(wall[0].timestamp()) * 10**9)
    monkeypatch.setattr(service_module, "PLAN_LOOK_S", 0.01)
    async with Steering(state, settings):
        await asyncio.sleep(0)
        assert planned_at_ns(state) == 0
        wall[0] = datetime(2026, 1, 1, 1, 30, 1, tzinfo=UTC)
        await until(lambda: planned_at_ns(state) > 0)
        assert planned_at_ns(state) == int(wall[0].timestamp()) * 10**9


def with_token(path: Path) -> SteeringSettings:
    site = make_site("metro", appliances=("metro-a", "metro-b"))
    entry = replace(site.appliance[0], token_file=str(path))
    return make_settings(site=(replace(site, appliance=(entry, site.appliance[1])),))


def test_tokens_are_read_once_from_their_files(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("0123456789abcdef\n")
    assert read_tokens(with_token(tmp_path / "token")) == {"metro-a": "0123456789abcdef"}


def test_tokens_name_appliance_of_unusable_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"token_file of metro-a = '.*': cannot be read"):
        read_tokens(with_token(tmp_path / "token"))


def test_serve_ends_cleanly_on_sigterm(tmp_path: Path) -> None:
    config = tmp_path / "steering.toml"
    config.write_text(f'[api]\nlisten = "127.0.0.1:0"\n[state]\npath = "{tmp_path / "state"}"\nbytes_max = 67108864\n')
    command = [sys.executable, "-c", "from steering.cli import main; main()", "serve", "--config", str(config)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert '"event": "serving"' in process.stderr.readline()
        process.send_signal(signal.SIGTERM)
        _, rest = process.communicate(timeout=20)
    assert process.returncode == 0
    assert '"event": "stopped"' in rest
    assert "Traceback" not in rest
