from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from fill.cli import NAME, app
from fill.preview import Preview
from oca.common.command import run_app
from oca.common.messages import FillProgress

from .conftest import Source, SteeringDouble, make_files, make_manifest

FILES = make_files("t/a", [50_000, 20_000])
Run = Callable[..., int]


class Provider:
    """A steering double and an origin that run beside the command, which has a loop of its own."""

    def __init__(self) -> None:
        self.steering = SteeringDouble()
        self.origin = Source(FILES)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="provider")
        self._thread.start()
        self._do(self.steering.start())
        self._do(self.origin.start())

    def close(self) -> None:
        self._do(self.origin.close())
        self._do(self.steering.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _do(self, work: object) -> None:
        assert asyncio.iscoroutine(work)
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)


@pytest.fixture
def provider() -> Iterator[Provider]:
    running = Provider()
    yield running
    running.close()


@pytest.fixture
def config(tmp_path: Path, device: Path, provider: Provider) -> Path:
    (tmp_path / "appliance.toml").write_text(
        f'[appliance]\nid = "fra1-a"\nsite = "fra1"\n[store]\ndevices = ["{device}"]\nreserve_ratio = 0.0\n'
        f'[steering]\nurl = "{provider.steering.url}"\n'
    )
    (tmp_path / "fill.toml").write_text("")
    return tmp_path / "fill.toml"


@pytest.fixture
def run() -> Run:
    def call(*arguments: object) -> int:
        with pytest.raises(SystemExit) as ended:
            run_app(app, NAME, [str(argument) for argument in arguments])
        assert isinstance(ended.value.code, int)
        return ended.value.code

    return call


def test_run_fills_and_says_so(run: Run, config: Path, provider: Provider, capsys: pytest.CaptureFixture[str]) -> None:
    provider.steering.offer(make_manifest("t/a", FILES, [provider.origin.as_source()]))
    assert run("run", "--config", config, "--now") == 0
    assert capsys.readouterr().out.startswith("1 of 1 assets fetched, 68.4 KiB in ")
    assert run("run", "--config", config, "--now", "--json") == 0
    assert msgspec.json.decode(capsys.readouterr().out, type=FillProgress).assets_total == 0


def test_run_fails_listing_what_could_not_be_had(
    run: Run, config: Path, provider: Provider, capsys: pytest.CaptureFixture[str]
) -> None:
    manifests = [make_manifest(f"t/a{number:03}", FILES, []) for number in range(101)]
    provider.steering.offer(*manifests)
    assert run("run", "--config", config, "--now") == 1
    out = capsys.readouterr().out
    assert "101 of 101 assets could not be had" in out
    assert "  t/a000: /t/a/seg-0.m4s: steering names no source that has it\n" in out
    assert out.endswith("  and 1 more, in the log\n")


def test_plan_shows_steps_and_changes_nothing(
    run: Run, config: Path, provider: Provider, capsys: pytest.CaptureFixture[str]
) -> None:
    provider.steering.offer(make_manifest("t/a", FILES, [provider.origin.as_source()]))
    assert run("plan", "--config", config, "--json") == 0
    preview = msgspec.json.decode(capsys.readouterr().out, type=Preview)
    assert [(step.action, step.asset, step.why) for step in preview.steps] == [("fetch", "t/a", "popular")]
    assert run("plan", "--config", config) == 0
    out = capsys.readouterr().out
    assert "fetch" in out
    assert "fra1-a: 68.4 KiB to fetch, 0 B to evict" in out
    assert provider.origin.requests == []


def test_commands_say_in_one_line_what_is_wrong(
    run: Run, config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("run", "--config", tmp_path / "none.toml", "--now") == 78
    assert run("run", "--config", config, "--now", "--set", "fill.rounds=3") == 78
    assert run("run", "--now") == 2
    assert run("plan", "--config", config, "--set", "box.config=none.toml") == 78
    errors = capsys.readouterr().err
    assert "Traceback" not in errors
    assert "unknown key fill.rounds" in errors


def test_run_fails_when_device_is_missing(
    run: Run, config: Path, provider: Provider, device: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    provider.steering.offer(make_manifest("t/a", FILES, []))
    device.rmdir()
    assert run("run", "--config", config, "--now") == 1
    assert f"{device}: cannot use as a device: No such file or directory" in capsys.readouterr().err


def test_config_check_refuses_what_run_would(
    run: Run, config: Path, device: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("config", "check", config) == 0
    assert run("config", "check", config, "--set", "window.time_zone=Mars/X") == 78
    assert run("config", "check", config, "--set", "box.config=none.toml") == 78
    device.rmdir()
    assert run("config", "check", config) == 78
    assert run("config", "check", config, "--file-only") == 0
    zone, box, store = capsys.readouterr().err.splitlines()
    assert "window.time_zone = 'Mars/X': this machine knows no such time zone" in zone
    assert "none.toml: cannot be read" in box
    assert f"store.devices: {device}: cannot use as a device" in store
