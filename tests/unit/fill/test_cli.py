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
        '[admin]\nlisten = "127.0.0.1:1"\n'  # no daemon, also where one runs at the address that is set by default
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


def test_report_tells_what_the_night_brought(
    run: Run, config: Path, provider: Provider, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("report", "--config", config) == 0
    assert capsys.readouterr().out == "no fill has run on this box yet\n"
    gone = make_manifest("t/gone", make_files("t/gone", [100]), [])
    provider.steering.offer(make_manifest("t/a", FILES, [provider.origin.as_source()]), gone)
    assert run("run", "--config", config, "--now") == 1
    capsys.readouterr()
    assert run("report", "--config", config, "--page", tmp_path / "report.html") == 0
    said = capsys.readouterr().out
    assert ": 68.4 KiB in (assets: 1), 0 B out (assets: 0); fills: 1, " in said
    assert "over the network 0 B from peer, 0 B from tier, 68.4 KiB from origin; efficiency not known yet" in said
    assert "refused  t/gone  100 B  " in said
    assert "t/gone" in (tmp_path / "report.html").read_text()
    assert run("report", "--config", config, "--json") == 0
    (night,) = msgspec.json.decode(capsys.readouterr().out)
    assert (night["night"]["bytes_in"], night["night"]["bytes_by_source"]) == (70_000, {"origin": 70_000})
    assert night["efficiency"] is None
    assert run("report", "--config", config, "--page", tmp_path / "none" / "report.html") == 1
    assert "cannot be written" in capsys.readouterr().err


def test_pause_holds_until_resume(
    run: Run, config: Path, provider: Provider, capsys: pytest.CaptureFixture[str]
) -> None:
    provider.steering.offer(make_manifest("t/a", FILES, [provider.origin.as_source()]))
    assert run("pause", "--config", config, "--why", "works on the ring") == 0
    assert capsys.readouterr().out == "paused until 'oca-fill resume'\n"
    assert run("run", "--config", config, "--now") == 1
    assert "works on the ring" in capsys.readouterr().err
    assert run("run", "--config", config, "--no-wait") == 0
    assert "nothing to fetch now" in capsys.readouterr().out
    assert provider.origin.requests == []
    assert run("status", "--config", config) == 0
    said = capsys.readouterr().out
    assert said.startswith("fra1-a: no fill runs; paused by an operator at ")
    assert run("resume", "--config", config) == 0
    assert capsys.readouterr().out.startswith("resumed; ")
    assert run("resume", "--config", config) == 0
    assert capsys.readouterr().out.startswith("was not paused; ")
    assert run("run", "--config", config, "--now") == 0
    assert run("pause", "--config", config, "--for", "2") == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("paused until 2")
    assert run("pause", "--config", config, "--for", "-1") == 78


def test_status_tells_the_last_fill_and_the_nights_bytes(
    run: Run, config: Path, provider: Provider, capsys: pytest.CaptureFixture[str]
) -> None:
    provider.steering.offer(make_manifest("t/a", FILES, [provider.origin.as_source()]))
    limit = ("--set", "fill.night_bytes_max=50000")
    assert run("run", "--config", config, "--now", *limit) == 1
    assert "(fill.night_bytes_max) are fetched; the next night goes on from here" in capsys.readouterr().out
    assert run("run", "--config", config, "--now", *limit) == 1
    capsys.readouterr()
    assert run("status", "--config", config, "--json", *limit) == 0
    standing = msgspec.json.decode(capsys.readouterr().out)
    assert (standing["running"], standing["paused"], standing["night_bytes_max"]) == (False, False, 50_000)
    assert 50_000 <= standing["night_bytes"] < 60_000
    assert standing["progress"]["state"] == "incomplete"
    assert run("run", "--config", config, "--now") == 0
    assert run("status", "--config", config) == 0
    said = capsys.readouterr().out
    assert "last fill, of 2" in said
    assert provider.origin.requests[-1][0] == "/t/a/seg-1.m4s"


def test_plan_explains_one_asset(
    run: Run, config: Path, provider: Provider, capsys: pytest.CaptureFixture[str]
) -> None:
    provider.steering.offer(make_manifest("t/a", FILES, [provider.origin.as_source()]))
    assert run("plan", "--config", config, "--explain", "t/a") == 0
    said = capsys.readouterr().out
    assert said.startswith("t/a would be fetched: popular\n  1 of 1 in order; 68.4 KiB; ")
    assert f"origin {provider.origin.url}  at once" in said
    assert run("plan", "--config", config, "--explain", "t/a", "--json") == 0
    assert msgspec.json.decode(capsys.readouterr().out)["sources"][0]["kind"] == "origin"
    assert run("plan", "--config", config, "--explain", "t/none") == 1
    assert "the plan does not name t/none" in capsys.readouterr().err
