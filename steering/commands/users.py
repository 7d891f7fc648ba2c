"""``oca-steering users``: who may log in to steering's page and API, as what."""

from __future__ import annotations

import sys
from typing import Annotated

import msgspec
import typer
from msgspec import Struct

from oca.common.clock import now_ns
from oca.common.command import ConfigOption, JsonOption, SetOption, print_error, print_json, print_line, ttl_seconds
from oca.common.errors import ConfigError
from oca.common.units import format_instant
from steering.commands.opened import opened
from steering.commands.tables import print_table
from steering.state.store import StateStore
from steering.trust.audit import audited
from steering.trust.local_actor import local_actor
from steering.trust.roles import Role
from steering.trust.users import (
    PASSWORD_CHARACTERS_MAX,
    Login,
    User,
    UserName,
    change_role,
    end_logins,
    logins,
    open_login,
    password_fault,
    put_user,
    remove_user,
    user_of,
    users,
)

TTL_S_MAX = 366 * 86400
users_app = typer.Typer(help="Operators: who may log in, as what.", no_args_is_help=True)
NameArgument = Annotated[str, typer.Argument(help="The user's name.")]
StdinOption = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from standard input, not from the terminal.")
]
LabelOption = Annotated[str, typer.Option("--label", help="What it is for: prometheus.")]


class UserRow(Struct, frozen=True):
    """A user as ``list`` shows it; times are ns since 1970."""

    name: str
    role: Role
    made_at_ns: int
    sessions: int
    tokens: list[str]


class TokenMade(Struct, frozen=True):
    """What ``token --json`` prints; the token is kept nowhere and shown this once."""

    user: str
    label: str
    token: str
    ends_at_ns: int


class Changed(Struct, frozen=True):
    """A user, and what became of it."""

    name: str
    outcome: str


@users_app.command("add")
def add(
    name: NameArgument,
    *,
    role: Annotated[Role, typer.Option("--role", help="Each may what those before it may.")] = "read",
    password_stdin: StdinOption = False,
    config: ConfigOption = None,
    sets: SetOption = None,
    json: JsonOption = False,
) -> None:
    """Add a user: read looks, operate changes what is served, admin also enrols."""
    _refuse_name(name)
    with opened(config, sets) as (_, state):
        if user_of(state, name) is not None:
            raise ConfigError(f"there is a user {name} already", remedy="see 'oca-steering users role' and 'password'")
        _put(state, name, role, _password(name, stdin=password_stdin), "user add")
    _show(Changed(name, f"may log in as {role}"), json=json)


@users_app.command("password")
def password(
    name: NameArgument,
    password_stdin: StdinOption = False,
    config: ConfigOption = None,
    sets: SetOption = None,
    json: JsonOption = False,
) -> None:
    """Set a new password; ends all sessions and tokens of the user."""
    with opened(config, sets) as (_, state):
        user = _known(state, name)
        _put(state, name, user.role, _password(name, stdin=password_stdin), "user password")
    _show(Changed(name, "has a new password, and is logged out everywhere"), json=json)


@users_app.command("role")
def role_(
    name: NameArgument,
    role: Annotated[Role, typer.Argument(help="read, operate or admin.")],
    config: ConfigOption = None,
    sets: SetOption = None,
    json: JsonOption = False,
) -> None:
    """Give a user another role, from the next request on."""
    with opened(config, sets) as (_, state):
        user = _known(state, name)
        with audited(state, local_actor(), "user role", f"{name} {role}", now_ns=now_ns()) as transaction:
            change_role(transaction, user, role)
    _show(Changed(name, f"has the role {role}"), json=json)


@users_app.command("remove")
def remove(name: NameArgument, config: ConfigOption = None, sets: SetOption = None, json: JsonOption = False) -> None:
    """Remove a user, with all sessions and tokens."""
    with opened(config, sets) as (_, state):
        _known(state, name)
        with audited(state, local_actor(), "user remove", name, now_ns=now_ns()) as transaction:
            remove_user(transaction, name)
    _show(Changed(name, "is removed, and logged out everywhere"), json=json)


@users_app.command("token")
def token(
    name: NameArgument,
    *,
    label: LabelOption,
    ttl: Annotated[str, typer.Option("--ttl", help="How long it is good: 1h, 90d; 366d at most.")] = "90d",
    config: ConfigOption = None,
    sets: SetOption = None,
    json: JsonOption = False,
) -> None:
    """Print a token for programs, sent as 'Authorization: Bearer TOKEN'; it may what the user may."""
    seconds = ttl_seconds(ttl, most_s=TTL_S_MAX)
    if not 0 < len(label) <= PASSWORD_CHARACTERS_MAX or not label.isprintable():
        raise typer.BadParameter("is 1 to 200 signs on one line", param_hint="--label")
    from oca.common.new_key import new_secret  # noqa: PLC0415 - loads cryptography

    at_ns, secret = now_ns(), new_secret()
    login = Login(user=name, kind="token", label=label, made_at_ns=at_ns, ends_at_ns=at_ns + int(seconds * 1e9))
    with opened(config, sets) as (_, state):
        _known(state, name)
        with audited(state, local_actor(), "user token", f"{name} {label}", now_ns=at_ns) as transaction:
            open_login(transaction, secret, login)
    if json:
        print_json(TokenMade(name, label, secret, login.ends_at_ns))
        return
    print_line(secret)
    print_error(f"good until {format_instant(login.ends_at_ns)}; ended before by: oca-steering users end-token {name}")


@users_app.command("end-token")
def end_token(
    name: NameArgument,
    label: LabelOption,
    config: ConfigOption = None,
    sets: SetOption = None,
    json: JsonOption = False,
) -> None:
    """End the tokens of a user that have this label."""
    with opened(config, sets) as (_, state):
        _known(state, name)
        if not any(login.user == name and login.label == label for login in logins(state, "token", now_ns=now_ns())):
            raise ConfigError(f"{name} has no token {label!r}", remedy="see 'oca-steering users list'")
        with audited(state, local_actor(), "user end-token", f"{name} {label}", now_ns=now_ns()) as transaction:
            end_logins(transaction, name, label=label)
    _show(Changed(name, f"has no token {label} any more"), json=json)


@users_app.command("list")
def list_users(config: ConfigOption = None, sets: SetOption = None, json: JsonOption = False) -> None:
    """Show who may log in, and which sessions and tokens are open."""
    with opened(config, sets) as (_, state):
        at_ns = now_ns()
        sessions, tokens = logins(state, "session", now_ns=at_ns), logins(state, "token", now_ns=at_ns)
        rows = [
            UserRow(
                user.name,
                user.role,
                user.made_at_ns,
                sum(login.user == user.name for login in sessions),
                sorted(login.label for login in tokens if login.user == user.name),
            )
            for user in users(state)
        ]
    if json:
        print_json({"users": rows})
    elif rows:
        print_table(
            ("USER", "ROLE", "SINCE", "SESSIONS", "TOKENS"),
            (
                (row.name, row.role, format_instant(row.made_at_ns), str(row.sessions), ", ".join(row.tokens))
                for row in rows
            ),
        )
    else:
        print_line("no users: only whoever asks from this machine is let in; 'oca-steering users add NAME' adds one")


def _put(state: StateStore, name: str, role: Role, password: str, action: str) -> None:
    from oca.common.new_key import new_secret  # noqa: PLC0415 - loads cryptography

    with audited(state, local_actor(), action, f"{name} {role}", now_ns=now_ns()) as transaction:
        put_user(transaction, name, role, password, new_secret(), now_ns=now_ns())


def _password(name: str, *, stdin: bool) -> str:
    if not stdin and not sys.stdin.isatty():
        raise ConfigError("there is no terminal to ask for a password", remedy="give --password-stdin and pipe it in")
    if stdin:
        given = sys.stdin.readline(PASSWORD_CHARACTERS_MAX + 2).removesuffix("\n")
    else:
        given = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    if fault := password_fault(given, name):
        raise ConfigError(
            f"the password {fault}", remedy="choose another: four words that nobody else would put together"
        )
    return given


def _refuse_name(name: str) -> None:
    try:
        msgspec.convert(name, UserName)
    except msgspec.ValidationError:
        raise ConfigError(
            f"{name!r} is no user name", remedy="use 1 to 64 lower-case letters, digits and inner . _ @ -"
        ) from None


def _known(state: StateStore, name: str) -> User:
    user = user_of(state, name)
    if user is None:
        raise ConfigError(f"there is no user {name!r}", remedy="see 'oca-steering users list'")
    return user


def _show(changed: Changed, *, json: bool) -> None:
    if json:
        print_json(changed)
    else:
        print_line(f"{changed.name} {changed.outcome}")
