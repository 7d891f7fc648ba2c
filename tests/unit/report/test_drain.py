import errno
import os
from pathlib import Path

import pytest

from oca.common.log import configure_logging
from oca.report import drain as drains
from oca.report.drain import MARKER, Drain


def test_drain_outlives_restart(tmp_path: Path) -> None:
    first = Drain(tmp_path, drain_s_max=60)
    assert first.drain()
    assert not first.drain()
    assert 0 < first.left_s() <= 60
    second = Drain(tmp_path, drain_s_max=60)
    states = [second.serving.state]
    assert second.at_ns == (tmp_path / MARKER).stat().st_mtime_ns
    assert abs(second.at_ns - first.at_ns) < 10**9
    assert second.observe(connections=0)
    assert [*states, second.serving.state] == ["draining", "drained"]
    assert second.undrain()
    assert second.reason == ""
    assert Drain(tmp_path, drain_s_max=60).serving.state == "serving"


def test_drain_says_who_did_it_when_and_how_to_undo_it(tmp_path: Path) -> None:
    marker = tmp_path / MARKER
    marker.touch()
    os.utime(marker, ns=(0, 86400 * 10**9))
    drain = Drain(tmp_path, drain_s_max=60)
    said = "by 'oca drain' since 1970-01-02 00:00:00Z ('oca undrain' takes it back)"
    assert drain.reason == f"draining {said}"
    drain.observe(connections=0)
    assert drain.reason == f"drained {said}"


def test_drain_ends_when_viewers_have_left(tmp_path: Path) -> None:
    drain = Drain(tmp_path, drain_s_max=60)
    assert not drain.observe(connections=0)
    drain.drain()
    assert not drain.observe(connections=1)
    assert drain.observe(connections=0)
    assert not drain.observe(connections=0)


def test_drain_takes_effect_on_device_that_cannot_be_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging(style="json")
    drain = Drain(tmp_path / "gone", drain_s_max=60)
    assert drain.drain()
    assert drain.serving.state == "draining"
    assert "will not outlive a restart" in capsys.readouterr().err


def test_drain_undone_twice_says_so(tmp_path: Path) -> None:
    drain = Drain(tmp_path, drain_s_max=60)
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
        assert Drain(tmp_path, drain_s_max=60).serving.state == "serving"
    told = capsys.readouterr().err
    assert "Input/output error" in told
    assert "oca drain" in told


def test_drain_for_a_time_ends_by_itself_also_after_restart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = Drain(tmp_path, drain_s_max=60)
    assert first.drain(7200)
    assert first.reason.endswith("('oca undrain' takes it back)")
    assert " until " in first.reason
    second = Drain(tmp_path, drain_s_max=60)
    assert second.until_ns == first.until_ns
    assert not second.drain(3600)  # drained already; the time is new
    assert first.until_ns - second.until_ns > 3500 * 10**9
    monkeypatch.setattr(drains, "now_ns", lambda: second.until_ns - 1)
    second.observe(connections=1)
    assert second.serving.state == "draining"
    monkeypatch.setattr(drains, "now_ns", lambda: second.until_ns)
    assert second.observe(connections=1)
    assert (second.serving.state, second.at_ns, second.until_ns) == ("serving", 0, 0)
    assert not list(tmp_path.iterdir())


def test_drain_without_a_time_has_no_end(tmp_path: Path) -> None:
    drain = Drain(tmp_path, drain_s_max=60)
    drain.drain(60)
    drain.undrain()
    drain.drain()
    assert (drain.until_ns, Drain(tmp_path, drain_s_max=60).until_ns) == (0, 0)
