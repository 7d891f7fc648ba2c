import os
import signal
import subprocess
import sys

import pytest
import typer

from oca.common.command import (
    DEBUG_VARIABLE,
    JsonOption,
    RequiredConfigOption,
    SetOption,
    new_app,
    print_json,
    print_line,
    run_app,
)
from oca.common.errors import ConfigError, StoreError
from tests.waiting import WAIT_S

FAULTS: dict[str, BaseException] = {
    "config": ConfigError("a.toml: bad", remedy="mend it"),
    "store": StoreError("disk: gone", remedy="plug it in"),
    "bug": ValueError("first line\nsecond line"),
    "interrupt": KeyboardInterrupt(),
}


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> typer.Typer:
    monkeypatch.setenv(DEBUG_VARIABLE, "")  # remembered, so that what --debug sets is undone after the test
    made = new_app("oca-test", "1.2.3", "Test commands.")

    @made.command()
    def work(config: RequiredConfigOption, sets: SetOption = None, json: JsonOption = False) -> None:
        for fault in sets or ():
            raise FAULTS[fault]
        if json:
            print_json({"config": str(config)})
        else:
            print_line("worked")

    return made


def run(app: typer.Typer, *arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        run_app(app, "oca-test", arguments)
    code = ended.value.code
    return code if isinstance(code, int) else 0


@pytest.mark.parametrize(
    ("fault", "code", "said"),
    [
        ("config", 78, "oca-test: a.toml: bad; mend it\n"),
        ("store", 1, "oca-test: disk: gone; plug it in\n"),
        ("interrupt", 130, ""),
    ],
)
def test_command_maps_fault_to_exit_code_and_one_line(
    app: typer.Typer, capsys: pytest.CaptureFixture[str], fault: str, code: int, said: str
) -> None:
    assert run(app, "work", "--config", "x", "--set", fault) == code
    assert capsys.readouterr().err == said


def test_command_hides_traceback_of_bug(app: typer.Typer, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(app, "work", "--config", "x", "--set", "bug") == 1
    said = capsys.readouterr().err
    assert said.startswith("oca-test: internal fault: ValueError: first line; ")
    assert said.count("\n") == 1


@pytest.mark.parametrize("fault", ["store", "bug"])
def test_command_shows_traceback_when_debugging(app: typer.Typer, fault: str) -> None:
    with pytest.raises(type(FAULTS[fault])):
        run_app(app, "oca-test", ["--debug", "work", "--config", "x", "--set", fault])
    assert os.environ[DEBUG_VARIABLE] == "1"


def test_command_ended_by_fatal_signal_says_where() -> None:
    script = """
import os, signal, typer
from oca.common.command import run_app
app = typer.Typer()
app.command()(lambda: os.kill(os.getpid(), signal.SIGBUS))
run_app(app, "oca", [])
"""
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=WAIT_S)
    assert ended.returncode == -signal.SIGBUS
    assert ended.stderr.startswith("Fatal Python error: Bus error")


def test_command_prints_version(app: typer.Typer, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(app, "--version") == 0
    assert capsys.readouterr().out == "oca-test 1.2.3\n"


@pytest.mark.parametrize("arguments", [["work"], ["nothing"], ["work", "--config", "x", "--no-such-option"], []])
def test_command_refuses_bad_usage(app: typer.Typer, arguments: list[str]) -> None:
    assert run(app, *arguments) == 2


def test_command_prints_line_or_json(app: typer.Typer, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(app, "work", "--config", "x") == 0
    assert run(app, "work", "--config", "x", "--json") == 0
    assert capsys.readouterr().out == 'worked\n{\n  "config": "x"\n}\n'
