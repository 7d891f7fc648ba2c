from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import lmdb
import msgspec
import pytest
import uvloop
from msgspec.structs import replace

from oca.common.errors import ConfigError, SteeringError
from steering import service as service_module
from steering.api import kept as kept_module
from steering.plan import nightly as nightly_module
from steering.plan.planner import make_plans, planned_at_ns
from steering.service import Service, read_tokens
from steering.settings import SteeringSettings
from steering.state.embedded import EmbeddedState
from steering.state.peers import Alone
from steering.titles import catalogue as catalogue_module
from steering.titles.publish import publish
from tests.system.side_by_side import WORKER
from tests.unit.steering.api_client import JSON, TITLE, Steering
from tests.unit.steering.made_up import make_batch, make_report, make_settings, make_site
from tests.waiting import WAIT_S, until


async def test_service_takes_up_what_is_published_while_it_runs(steering: Steering, package: Path) -> None:
    publish(package, TITLE, steering.state, progress=lambda done, total: None)
    await until(lambda: "harbour" in steering.service.decider.catalogue.titles)


async def test_service_says_when_its_address_is_taken(state: EmbeddedState) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        settings = make_settings()
        service = Service(replace(settings, api=replace(settings.api, listen=f"127.0.0.1:{port}")), state, Alone())
        with pytest.raises(ConfigError, match=rf"listen = '127\.0\.0\.1:{port}': address already in use; .*ss -ltnp"):
            await service.start()


async def test_service_says_when_its_address_is_another_machines(state: EmbeddedState) -> None:
    settings = make_settings()
    service = Service(replace(settings, api=replace(settings.api, listen="192.0.2.1:8090")), state, Alone())
    with pytest.raises(ConfigError, match=r"cannot assign requested address; set \[api\] listen to an address of this"):
        await service.start()


async def test_service_plans_at_once_when_the_night_was_missed(
    state: EmbeddedState, settings: SteeringSettings
) -> None:
    make_plans(state, settings, now_ns=1)
    async with Steering(state, settings):
        await until(lambda: planned_at_ns(state) > 1)


async def test_service_tells_of_failed_planning_and_plans_again(
    state: EmbeddedState, settings: SteeringSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_plans(state, settings, now_ns=1)
    failing = [True]

    def fail_at_first(*arguments: Any, **options: Any) -> Any:
        if failing[0]:
            raise lmdb.Error("a fault nobody foresaw")
        return make_plans(*arguments, **options)

    monkeypatch.setattr(nightly_module, "make_plans", fail_at_first)
    monkeypatch.setattr(service_module, "PLAN_RETRY_S", 0.01)
    monkeypatch.setattr(kept_module, "KEEP_S", 0.0)
    async with Steering(state, settings) as steering:
        await until(lambda: any("nightly plans" in fault for fault in steering.service.faults()))
        health = await steering.get("/health")
        assert health["verdict"] == "degraded"
        assert "nightly plans: Error: a fault nobody foresaw" in health["reasons"]
        failing[0] = False
        await until(lambda: not steering.service.faults())
        assert planned_at_ns(state) > 1


async def test_service_reads_catalogue_again_after_failed_read(
    steering: Steering, package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_state: object) -> None:
        raise SteeringError("the state cannot be read", remedy="check its disk")

    with monkeypatch.context() as patch:
        patch.setattr(catalogue_module, "stored_titles", fail)
        publish(package, TITLE, steering.state, progress=lambda done, total: None)
        await until(lambda: steering.service.faults() == ["catalogue: the state cannot be read; check its disk"])
    await until(lambda: "harbour" in steering.service.decider.catalogue.titles)
    await until(lambda: not steering.service.faults())


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
        rest = process.stderr.read()  # what was read ahead with the first line, too
    assert process.returncode == 0
    assert '"event": "stopped"' in rest
    assert ("root runs this service" in rest) == (os.geteuid() == 0)
    assert "Traceback" not in rest


def test_serve_answers_and_ends_while_another_process_holds_the_state(tmp_path: Path) -> None:
    host = f"127.0.202.{1 + WORKER}"  # where no other takes the port that is found free
    with socket.create_server((host, 0)) as free:
        port = free.getsockname()[1]
    config = tmp_path / "steering.toml"
    config.write_text(
        f'[api]\nlisten = "{host}:{port}"\n[state]\npath = "{tmp_path / "state"}"\nbytes_max = 67108864\n'
        '[[site]]\nid = "metro"\n[[site.appliance]]\nid = "metro-a"\n'
    )
    state = EmbeddedState.open(tmp_path / "state", bytes_max=2**26)
    command = [sys.executable, "-c", "from steering.cli import main; main()", "serve", "--config", str(config)]
    with state.write(), subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process, ExitStack() as ending:
        ending.callback(process.kill)
        assert process.stderr is not None
        assert '"event": "serving"' in process.stderr.readline()
        request = urllib.request.Request(
            f"http://{host}:{port}/v1/appliances/metro-a/report",
            data=msgspec.json.encode(make_report(demand=make_batch(7))),
            headers=JSON,
        )
        with urllib.request.urlopen(request, timeout=WAIT_S) as response:
            assert msgspec.json.decode(response.read())["demand_sequence"] is None
        process.send_signal(signal.SIGTERM)
        _, rest = process.communicate(timeout=WAIT_S)
    state.close()
    assert process.returncode == 0
    assert "Traceback" not in rest


async def test_service_tells_its_manager_how_it_is(
    state: EmbeddedState, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service_module, "ALIVE_INTERVAL_S", 0.01)
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    monkeypatch.setenv("WATCHDOG_USEC", "30000000")
    settings = make_settings()
    told: list[bytes] = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.setblocking(False)

        async def hears(wanted: bytes) -> None:
            async with asyncio.timeout(WAIT_S):
                while wanted not in told:
                    told.append(await asyncio.get_running_loop().sock_recv(manager, 1000))

        service = Service(replace(settings, api=replace(settings.api, listen="127.0.0.1:0")), state, Alone())
        await service.start()
        await hears(b"READY=1")
        await hears(b"WATCHDOG=1\nSTATUS=0 titles")
        await service.stop()
        await hears(b"STOPPING=1")


def test_service_lets_no_thread_that_works_hold_answers_up_for_long(
    state: EmbeddedState, settings: SteeringSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    switches_s: list[float] = []
    monkeypatch.setattr(sys, "setswitchinterval", switches_s.append)
    monkeypatch.setattr(service_module, "open_instance", lambda _: (state, Alone()))
    monkeypatch.setattr(uvloop, "run", lambda serving: serving.close())
    service_module.serve(settings)
    assert switches_s == [service_module.SWITCH_S]
    assert switches_s[0] < sys.getswitchinterval()


async def test_service_moves_its_memory_into_huge_pages_with_rests(
    state: EmbeddedState, settings: SteeringSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    took_s = iter([0.004, 0.001, 7.0])
    rests_s: list[float] = []

    async def rest(seconds: float) -> None:
        rests_s.append(seconds)

    made = Service(settings, state, Alone())
    monkeypatch.setattr(service_module, "turn", lambda _: next(took_s, None))
    monkeypatch.setattr(service_module, "asyncio", SimpleNamespace(sleep=rest))
    await made._use_huge_pages()
    interval_s, *between_s = rests_s
    assert interval_s == service_module.HUGE_PAGES_INTERVAL_S
    assert between_s == [pytest.approx(0.8), pytest.approx(0.2), 5.0]  # fewer than one answer in a hundred waits


async def test_service_that_runs_moves_its_memory_again_and_again(
    state: EmbeddedState, settings: SteeringSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns: list[object] = []
    monkeypatch.setattr(service_module, "turn", turns.append)
    monkeypatch.setattr(service_module, "HUGE_PAGES_INTERVAL_S", 0.0)
    async with Steering(state, settings):
        await until(lambda: len(turns) > 1)
