from __future__ import annotations

import socket

import pytest

from benchmarks.players.__main__ import EXIT_USAGE, main
from oca.common.command import EXIT_FAILED


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--steering", "http://127.0.0.1:1", "--players", "0"], "--players 0: out of range"),
        (["--steering", "http://127.0.0.1:1", "--seconds", "4"], "--seconds 4: out of range"),
        (["--steering", "127.0.0.1:1", "--headless"], "write it like http://"),
        (["--steering", "http://127.0.0.1:1", "--page", "8089"], "--page 8089: no address"),
        (["--demo", "10.0.0", "--headless"], "write it like 127.0.7"),
    ],
)
def test_players_refuse_bad_usage(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == EXIT_USAGE
    error = capsys.readouterr().err
    assert error.startswith("players: ")
    assert said in error
    assert error.count("\n") == 1


def test_players_say_that_nobody_answers(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening: refused
        assert main(["--steering", f"http://127.0.0.1:{taken.getsockname()[1]}", "--headless"]) == EXIT_FAILED
    error = capsys.readouterr().err
    assert "name a running steering service" in error
    assert error.count("\n") == 1
