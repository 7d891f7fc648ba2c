import errno
import json
import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from oca.common.log import configure_logging
from oca.report import drain as drains
from oca.report.drain import MARKER, TAKEN_BACK, UNTIL, Drain
from tests.waiting import wait_until


def test_drain_outlives_restart(tmp_path: Path) -> None:
    first = Drain([tmp_path], drain_s_max=60)
    assert first.drain()
    assert not first.drain()
    assert 0 < first.left_s() <= 60
    second = Drain([tmp_path], drain_s_max=60)
    states = [second.serving.state]
    assert second.at_ns == (tmp_path / MARKER).stat().st_mtime_ns
    assert abs(second.at_ns - first.at_ns) < 10**9
    assert second.observe(connections=0)
    assert [*states, second.serving.state] == ["draining", "drained"]
    assert second.undrain()
    assert second.reason == ""
    assert Drain([tmp_path], drain_s_max=60).serving.state == "serving"


def test_drain_says_who_did_it_when_and_how_to_undo_it(tmp_path: Path) -> None:
    marker = tmp_path / MARKER
    marker.touch()
    os.utime(marker, ns=(0, 86400 * 10**9))
    drain = Drain([tmp_path], drain_s_max=60)
    said = "by 'oca drain' since 1970-01-02 00:00:00Z ('oca undrain' takes it back)"
    assert drain.reason == f"draining {said}"
    drain.observe(connections=0)
    assert drain.reason == f"drained {said}"


def test_drain_ends_when_viewers_have_left(tmp_path: Path) -> None:
    drain = Drain([tmp_path], drain_s_max=60)
    assert not drain.observe(connections=0)
    drain.drain()
    assert not drain.observe(connections=1)
    assert drain.observe(connections=0)
    assert not drain.observe(connections=0)


def test_drain_takes_effect_on_device_that_cannot_be_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging(style="json")
    drain = Drain([tmp_path / "gone"], drain_s_max=60)
    assert drain.drain()
    assert drain.serving.state == "draining"
    assert "will not outlive a restart" in capsys.readouterr().err


def test_drain_without_a_device_says_so_and_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(style="json")
    assert Drain([], drain_s_max=60).drain()
    told = json.loads(capsys.readouterr().err.splitlines()[-1])
    assert told["error"] == "no device is in use"
    assert "oca store bring-back DEVICE" in told["remedy"]


def test_drain_undone_twice_says_so(tmp_path: Path) -> None:
    drain = Drain([tmp_path], drain_s_max=60)
    assert not drain.undrain()
    drain.drain()
    (tmp_path / MARKER).unlink()
    assert drain.undrain()


def test_drain_serves_when_its_marker_cannot_be_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: Path) -> os.stat_result:
        raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))

    configure_logging(style="json")
    with monkeypatch.context() as patch:
        patch.setattr(Path, "stat", fail)
        assert Drain([tmp_path], drain_s_max=60).serving.state == "serving"
    told = capsys.readouterr().err
    assert "Input/output error" in told
    assert "oca drain" in told


def test_drain_for_a_time_ends_by_itself_also_after_restart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = Drain([tmp_path], drain_s_max=60)
    assert first.drain(7200)
    assert first.reason.endswith("('oca undrain' takes it back)")
    assert " until " in first.reason
    second = Drain([tmp_path], drain_s_max=60)
    assert second.until_ns == first.until_ns
    assert not second.drain(3600)  # drained already; the time is new
    assert first.until_ns - second.until_ns > 3500 * 10**9
    monkeypatch.setattr(drains, "now_ns", lambda: second.until_ns - 1)
    second.observe(connections=1)
    assert second.serving.state == "draining"
    monkeypatch.setattr(drains, "now_ns", lambda: second.until_ns)
    assert second.observe(connections=1)
    assert (second.serving.state, second.at_ns, second.until_ns) == ("serving", 0, 0)
    assert [path.name for path in tmp_path.iterdir()] == [TAKEN_BACK]


def test_drain_without_a_time_has_no_end(tmp_path: Path) -> None:
    drain = Drain([tmp_path], drain_s_max=60)
    drain.drain(60)
    drain.undrain()
    drain.drain()
    assert (drain.until_ns, Drain([tmp_path], drain_s_max=60).until_ns) == (0, 0)


@pytest.fixture
def devices(tmp_path: Path) -> list[Path]:
    made = [tmp_path / name for name in "abc"]
    for device in made:
        device.mkdir()
    return made


def test_drain_outlives_the_loss_of_any_device(devices: list[Path]) -> None:
    first = Drain(devices, drain_s_max=60)
    first.drain(7200)
    shutil.rmtree(devices[0])
    second = Drain(devices, drain_s_max=60)
    assert (second.serving.state, second.at_ns, second.until_ns) == ("draining", first.at_ns, first.until_ns)


def test_drain_that_was_taken_back_does_not_return_with_a_device_that_was_away(
    devices: list[Path], tmp_path: Path
) -> None:
    Drain(devices, drain_s_max=60).drain()
    devices[1].rename(tmp_path / "away")
    assert Drain(devices, drain_s_max=60).undrain()
    (tmp_path / "away").rename(devices[1])
    assert (devices[1] / MARKER).exists()
    again = Drain(devices, drain_s_max=60)
    assert (again.serving.state, again.at_ns) == ("serving", 0)
    assert again.drain()
    assert Drain(devices, drain_s_max=60).serving.state == "draining"


def test_drain_holds_though_the_clock_was_set_back(devices: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    drain = Drain(devices, drain_s_max=60)
    drain.drain()
    drain.undrain()
    monkeypatch.setattr(drains, "now_ns", lambda: 10**9)
    Drain(devices, drain_s_max=60).drain()
    assert Drain(devices, drain_s_max=60).serving.state == "draining"


def test_drain_waits_for_no_device_that_hangs(
    devices: list[Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging(style="json")
    over, stat, touch = threading.Event(), Path.stat, Path.touch

    def hang(path: Path, call: Callable[[Path], Any]) -> Any:
        return over.wait(30) if path.parent == devices[0] else call(path)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "stat", lambda path: hang(path, stat))
        patch.setattr(Path, "touch", lambda path: hang(path, touch))
        drain = Drain(devices, drain_s_max=60, timeout_s=0.01)
        assert drain.drain()
        wait_until((devices[1] / MARKER).exists)
        over.set()
    assert "has not answered for" in capsys.readouterr().err
    assert not (devices[1] / UNTIL).exists()
