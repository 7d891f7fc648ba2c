from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner, Result

from oca.common.clock import now_ns
from oca.common.errors import ConfigError
from steering.cli import app
from steering.state.engine import open_state
from steering.state.settings import StateTable
from steering.trust.users import login_of, password_holds, user_of

PASSWORD = "four words put together"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "steering.toml"
    file.write_text(f'[state]\npath = "{tmp_path / "state"}"\n')
    return file


def invoke(config: Path, *arguments: str, given: str = "") -> Result:
    return CliRunner().invoke(app, ["users", *arguments, "--config", str(config)], input=given, catch_exceptions=False)


def run(config: Path, *arguments: str, given: str = "") -> str:
    result = invoke(config, *arguments, given=given)
    assert result.exit_code == 0, result.output
    return result.stdout


def add(config: Path, name: str = "anna", *arguments: str) -> str:
    return run(config, "add", name, "--password-stdin", *arguments, given=PASSWORD + "\n")


def is_good(tmp_path: Path, token: str) -> bool:
    state = open_state(StateTable(path=str(tmp_path / "state"), bytes_max=2**26))
    try:
        return login_of(state, token, now_ns=now_ns()) is not None
    finally:
        state.close()


def listed(config: Path) -> list[Any]:
    found: list[Any] = msgspec.json.decode(run(config, "list", "--json"))["users"]
    return found


def test_users_are_added_listed_and_removed(config: Path, tmp_path: Path) -> None:
    assert run(config, "list").startswith("no users")
    assert add(config, "anna", "--role", "admin") == "anna may log in as admin\n"
    assert [(row["name"], row["role"], row["tokens"]) for row in listed(config)] == [("anna", "admin", [])]
    assert run(config, "list").splitlines()[1].startswith("anna  admin  2")
    state = open_state(StateTable(path=str(tmp_path / "state"), bytes_max=2**26))
    assert password_holds(user_of(state, "anna"), PASSWORD)
    state.close()
    assert run(config, "role", "anna", "read") == "anna has the role read\n"
    assert listed(config)[0]["role"] == "read"
    assert run(config, "remove", "anna").startswith("anna is removed")
    assert listed(config) == []
    entries = CliRunner().invoke(app, ["audit", "--json", "--config", str(config)]).stdout
    assert [entry["action"] for entry in msgspec.json.decode(entries)["entries"]] == [
        "user add", "user role", "user remove",
    ]  # fmt: skip
    assert PASSWORD not in entries


def test_token_is_shown_once_and_ends_by_its_label(config: Path, tmp_path: Path) -> None:
    add(config)
    token = run(config, "token", "anna", "--label", "prometheus", "--ttl", "1h").strip()
    assert listed(config)[0]["tokens"] == ["prometheus"]
    assert is_good(tmp_path, token)
    run(config, "end-token", "anna", "--label", "prometheus")
    assert not is_good(tmp_path, token)
    with pytest.raises(ConfigError, match="anna has no token 'prometheus'"):
        run(config, "end-token", "anna", "--label", "prometheus")
    made = msgspec.json.decode(run(config, "token", "anna", "--label", "x", "--json"))
    assert sorted(made) == ["ends_at_ns", "label", "token", "user"]


def test_password_change_ends_tokens(config: Path) -> None:
    add(config)
    run(config, "token", "anna", "--label", "prometheus")
    said = run(config, "password", "anna", "--password-stdin", given="another four words here\n")
    assert said == "anna has a new password, and is logged out everywhere\n"
    assert listed(config)[0]["tokens"] == []


@pytest.mark.parametrize(
    ("arguments", "given", "says"),
    [
        (("add", "Anna", "--password-stdin"), PASSWORD, "'Anna' is no user name"),
        (("add", "anna", "--password-stdin"), "short", "the password has 5 characters"),
        (("add", "anna", "--password-stdin"), "", "the password has 0 characters"),
        (("add", "anna"), PASSWORD, "no terminal to ask"),
        (("remove", "nobody"), "", "there is no user 'nobody'"),
        (("role", "nobody", "read"), "", "there is no user 'nobody'"),
        (("token", "nobody", "--label", "x"), "", "there is no user 'nobody'"),
        (("add", "otto", "--password-stdin"), PASSWORD, "there is a user otto already"),
    ],
)
def test_users_refuse_what_cannot_be(config: Path, arguments: tuple[str, ...], given: str, says: str) -> None:
    add(config, "otto")
    with pytest.raises(ConfigError, match=says) as caught:
        invoke(config, *arguments, given=given)
    assert not given or given not in str(caught.value)


@pytest.mark.parametrize(
    "arguments",
    [
        ("token", "anna", "--label", "x", "--ttl", "1y"),
        ("token", "anna", "--label", ""),
        ("token", "anna", "--label", "a\nb"),
        ("token", "anna"),
        ("add", "anna", "--role", "root"),
        ("role", "anna", "root"),
    ],
)
def test_users_answer_bad_usage(config: Path, arguments: tuple[str, ...]) -> None:
    assert invoke(config, *arguments).exit_code == 2
