from __future__ import annotations

import subprocess
import sys
import types
from importlib import import_module
from typing import Annotated

import pytest
import typer

from oca.common.command import new_app, print_line, run_app
from oca.common.later import whole

TERMINALS = ("rich", "pygments", "attr")
SERVERS = ("aiohttp", "cryptography", "joserfc", "re2", "psutil", "lmdb", "nats", "numpy", "duckdb")


def hello(name: Annotated[str, typer.Option(help="Whom.")] = "you") -> None:
    """Say hello.

    And no more.
    """
    print_line(f"hello {name}")


def _two() -> typer.Typer:
    made = typer.Typer(help="Two of them.", no_args_is_help=True)
    made.command("hello")(hello)
    made.command("again")(hello)
    return made


PLACES = {"hello": ("made_up:hello", "Say hello."), "more": ("made_up:more", "Two of them.")}


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was taken from the module that holds the commands, in order."""
    taken: list[str] = []

    class MadeUp(types.ModuleType):
        def __getattr__(self, name: str) -> object:
            taken.append(name)
            return {"hello": hello, "more": _two()}[name]

    monkeypatch.setitem(sys.modules, "made_up", MadeUp("made_up"))
    return taken


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[object, str, str]:
    with pytest.raises(SystemExit) as ended:
        run_app(new_app("oca-test", "1", "Test.", PLACES), "oca-test", arguments)
    said = capsys.readouterr()
    return ended.value.code, said.out, said.err


@pytest.mark.parametrize(
    ("arguments", "said", "taken"),
    [
        (("hello", "--name", "me"), "hello me\n", ["hello"]),
        (("more", "again"), "hello you\n", ["more"]),
        (("--version",), "oca-test 1\n", []),
    ],
)
def test_later_loads_command_that_is_given_alone(
    capsys: pytest.CaptureFixture[str], loaded: list[str], arguments: tuple[str, ...], said: str, taken: list[str]
) -> None:
    assert run(capsys, *arguments)[:2] == (0, said)
    assert loaded == taken


def test_later_lists_commands_without_loading_them(capsys: pytest.CaptureFixture[str], loaded: list[str]) -> None:
    code, out, _ = run(capsys, "--help")
    assert (code, loaded) == (0, [])
    assert out.index("Say hello.") < out.index("Two of them.")


def test_later_helps_with_command_itself(capsys: pytest.CaptureFixture[str], loaded: list[str]) -> None:
    assert "Whom." in run(capsys, "hello", "--help")[1]
    code, _, said = run(capsys, "hallo")
    assert code == 2
    assert "No such command 'hallo'. Did you mean 'hello'?" in " ".join(said.split())
    assert loaded == ["hello"]


def test_whole_loads_everything(loaded: list[str]) -> None:
    command = whole(new_app("oca-test", "1", "Test.", PLACES))
    assert loaded == ["hello", "more"]
    assert {name: below.help.partition("\n")[0] for name, below in command.commands.items()} == {
        name: about for name, (_, about) in PLACES.items()
    }
    assert list(command.commands["more"].commands) == ["hello", "again"]


@pytest.mark.parametrize("module", ["oca.cli", "fill.cli", "steering.cli"])
def test_list_of_commands_says_of_each_what_its_help_says(module: str) -> None:
    program = import_module(module)
    helps = {name: " ".join(below.help.split("\n\n")[0].split()) for name, below in whole(program.app).commands.items()}
    assert {name: about for name, (_, about) in program.COMMANDS.items()} == helps


@pytest.mark.parametrize(
    ("modules", "absent"),
    [
        ("oca.cli fill.cli steering.cli", (*TERMINALS, *SERVERS, "asyncio", "structlog")),
        (
            "oca.cli_running oca.cli_config oca.cli_routes",
            (*TERMINALS, "aiohttp", "prometheus_client", "lmdb", "psutil"),
        ),
        ("oca.delivery.worker oca.store.scrubber", (*TERMINALS, *(set(SERVERS) - {"psutil", "lmdb"}), "typer")),
    ],
)
def test_start_loads_nothing_that_it_does_without(modules: str, absent: tuple[str, ...]) -> None:
    source = f"import sys, {', '.join(modules.split())}\nprint(*sorted({set(absent)!r} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", source], capture_output=True, check=True, text=True).stdout == "\n"
