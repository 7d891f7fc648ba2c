import json

import pytest

from oca.common.log import configure_logging, get_logger


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
