import io
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from oca.common import log
from oca.common.log import configure_logging, get_logger, recent_lines


def test_log_writes_json_lines_with_bound_fields(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(style="json", appliance="fra1-a")
    get_logger("reporter").warning("steering is away", why="refused")
    line = json.loads(capsys.readouterr().err)
    assert (line["appliance"], line["part"], line["event"]) == ("fra1-a", "reporter", "steering is away")
    assert (line["level"], line["why"], line["at"][-1]) == ("warning", "refused", "Z")


def test_log_leaves_out_lines_below_level(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(level="warning", style="text")
    get_logger("x").info("quiet")
    get_logger("x").error("loud")
    logged = capsys.readouterr().err
    assert "loud" in logged
    assert "quiet" not in logged


def test_log_is_json_where_no_terminal_reads(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(style="auto")
    get_logger("x").info("plain")
    assert json.loads(capsys.readouterr().err)["event"] == "plain"


def test_log_loggers_made_early_follow_later_configuration(capsys: pytest.CaptureFixture[str]) -> None:
    early = get_logger("early")
    configure_logging(style="json", box="b")
    early.info("said")
    assert json.loads(capsys.readouterr().err)["box"] == "b"


@contextmanager
def journal(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """A journal that standard error is connected to, as under systemd."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as taking, (folder / "stderr").open("w+") as stream:
        taking.bind(str(folder / "journal"))
        taking.settimeout(5)
        monkeypatch.setattr(log, "JOURNAL", str(folder / "journal"))
        monkeypatch.setattr("sys.stderr", stream)
        found = os.fstat(stream.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{found.st_dev}:{found.st_ino}")
        yield taking
        configure_logging(style="json")
        if log._journal.cache_info().currsize:  # a daemon keeps it for life
            log._journal()._socket.close()
            log._journal.cache_clear()


def test_log_goes_to_journal_under_systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with journal(tmp_path, monkeypatch) as taking:
        configure_logging(appliance="fra1-a")
        get_logger("reporter").warning("steering is away", why="refused")
        told = taking.recv(65536)
    assert b"MESSAGE=reporter: steering is away why=refused appliance=fra1-a\n" in told
    assert b"PRIORITY=4\n" in told
    assert b"OCA_WHY=refused\n" in told
    assert (tmp_path / "stderr").read_text() == ""


def test_log_goes_to_standard_error_when_journal_is_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with journal(tmp_path, monkeypatch) as taking:
        configure_logging()
        taking.close()
        get_logger("x").error("said all the same", why="it matters")
    line = json.loads((tmp_path / "stderr").read_text())
    assert (line["event"], line["why"]) == ("said all the same", "it matters")


def test_log_level_holds_in_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with journal(tmp_path, monkeypatch) as taking:
        configure_logging(level="warning")
        get_logger("x").info("quiet")
        get_logger("x").error("loud")
        assert b"OCA_EVENT=loud\n" in taking.recv(65536)


def test_log_is_for_journal_only_where_it_reads_standard_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with journal(tmp_path, monkeypatch), (tmp_path / "elsewhere").open("w+") as stream:
        monkeypatch.setattr("sys.stderr", stream)
        configure_logging()
        get_logger("x").info("plain")
    assert json.loads((tmp_path / "elsewhere").read_text())["event"] == "plain"


def test_log_is_json_where_standard_error_is_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    configure_logging()
    get_logger("x").info("plain")
    assert json.loads(stream.getvalue())["event"] == "plain"


def test_log_keeps_last_lines_of_what_was_out_of_order(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(style="json", appliance="fra1-a")
    get_logger("reporter").info("well")
    for number in range(log.RECENT_MAX + 1):
        get_logger("reporter").warning("steering is away", why=f"refused {number}")
    kept = recent_lines()
    assert len(kept) == log.RECENT_MAX
    assert kept[-1].endswith(f"Z warning reporter: steering is away why=refused {log.RECENT_MAX}")
    get_logger("x").error("long\nstory", why="y" * 1000)
    assert len(recent_lines()[-1]) <= log.RECENT_CHARACTERS_MAX
    assert "\n" not in recent_lines()[-1]
    capsys.readouterr()
