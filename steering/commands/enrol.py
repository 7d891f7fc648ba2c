"""``oca-steering enrol``: one-time tokens for new boxes, and the identities of those that used theirs."""

from __future__ import annotations

from typing import Annotated, Literal

import typer
from msgspec import Struct

from oca.common.clock import now_ns
from oca.common.command import ConfigOption, JsonOption, SetOption, print_error, print_json, print_line, ttl_seconds
from oca.common.errors import ConfigError
from oca.common.units import format_instant
from steering.commands.opened import opened
from steering.commands.tables import print_table
from steering.settings import SteeringSettings
from steering.state.store import StateReader
from steering.trust.audit import audited
from steering.trust.identities import forget, open_token, record_of, records, revoke, token_of
from steering.trust.local_actor import local_actor

TTL_S_MAX = 30 * 86400
enrol_app = typer.Typer(help="Enrol appliances: each gets a key of its own.", no_args_is_help=True)
ApplianceOption = Annotated[str, typer.Option("--appliance", help="Its id, as in steering.toml.")]
ApplianceArgument = Annotated[str, typer.Argument(help="Its id.")]


class TokenMade(Struct, frozen=True):
    """What ``create --json`` prints; the token is kept nowhere and shown this once."""

    appliance: str
    token: str
    ends_at_ns: int


class IdentityRow(Struct, frozen=True):
    """An appliance as ``list`` shows it; times are ns since 1970, 0 for none."""

    appliance: str
    state: Literal["enrolled", "revoked", "token", "address"]
    keyid: str
    since_ns: int
    token_ends_at_ns: int


class Changed(Struct, frozen=True):
    """What became of an identity."""

    appliance: str
    state: Literal["revoked", "forgotten"]


@enrol_app.command()
def create(
    appliance: ApplianceOption,
    ttl: Annotated[str, typer.Option("--ttl", help="How long the token is good: 15m, 1h, 7d; 30d at most.")] = "1h",
    config: ConfigOption = None,
    sets: SetOption = None,
    json: JsonOption = False,
) -> None:
    """Print a token with which this box, and no other, enrols once; an earlier one ends."""
    seconds = ttl_seconds(ttl, most_s=TTL_S_MAX)
    from oca.common.new_key import new_secret  # noqa: PLC0415 - loads cryptography

    with opened(config, sets) as (settings, state):
        _refuse_unknown(settings, appliance, "add it to its [[site]] in steering.toml first")
        at_ns = now_ns()
        with audited(state, local_actor(), "enrol create", appliance, now_ns=at_ns) as transaction:
            token = open_token(transaction, appliance, new_secret(), now_ns=at_ns, ttl_s=seconds)
    ends_at_ns = at_ns + int(seconds * 1e9)
    if json:
        print_json(TokenMade(appliance=appliance, token=token, ends_at_ns=ends_at_ns))
        return
    print_line(token)
    print_error(
        f"good once, until {format_instant(ends_at_ns)}; on {appliance}: oca enrol --config "
        "/etc/oca/appliance.toml --token -, and paste it"
    )


@enrol_app.command("list")
def list_identities(config: ConfigOption = None, sets: SetOption = None, json: JsonOption = False) -> None:
    """Show by what each appliance is known: its key, a token_file, its address; and tokens that are open."""
    with opened(config, sets) as (settings, state):
        rows = _rows(settings, state)
    if json:
        print_json({"appliances": rows})
        return
    print_table(
        ("APPLIANCE", "KNOWN BY", "KEY", "SINCE", "OPEN TOKEN UNTIL"),
        (
            (
                row.appliance,
                "its key" if row.state == "enrolled" else row.state,
                row.keyid,
                format_instant(row.since_ns) if row.since_ns else "",
                format_instant(row.token_ends_at_ns) if row.token_ends_at_ns else "",
            )
            for row in rows
        ),
    )


@enrol_app.command("revoke")
def revoke_identity(
    appliance: ApplianceArgument, config: ConfigOption = None, sets: SetOption = None, json: JsonOption = False
) -> None:
    """Let this appliance in no more, at once, by whatever; a new token enrols it anew."""
    with opened(config, sets) as (settings, state):
        if record_of(state, appliance) is None:
            _refuse_unknown(settings, appliance, "'oca-steering enrol list' shows who is let in")
        with audited(state, local_actor(), "enrol revoke", appliance, now_ns=now_ns()) as transaction:
            changed = revoke(transaction, appliance, now_ns=now_ns())
    words = "is not let in any more" if changed else "was revoked already"
    _show(Changed(appliance, "revoked"), f"{appliance} {words}", json=json)


@enrol_app.command("forget")
def forget_identity(
    appliance: ApplianceArgument, config: ConfigOption = None, sets: SetOption = None, json: JsonOption = False
) -> None:
    """Drop an identity or its revocation: the appliance counts by token_file or address again."""
    with opened(config, sets) as (_, state):
        if record_of(state, appliance) is None and token_of(state, appliance) is None:
            raise ConfigError(f"{appliance} has no identity", remedy="see 'oca-steering enrol list'")
        with audited(state, local_actor(), "enrol forget", appliance, now_ns=now_ns()) as transaction:
            forget(transaction, appliance)
    _show(Changed(appliance, "forgotten"), f"{appliance} counts by token_file or address again", json=json)


def _show(changed: Changed, words: str, *, json: bool) -> None:
    if json:
        print_json(changed)
    else:
        print_line(words)


def _rows(settings: SteeringSettings, state: StateReader) -> list[IdentityRow]:
    configured = {entry.id: entry for site in settings.site for entry in site.appliance}
    rows = []
    for name in [*configured, *(record.appliance for record in records(state) if record.appliance not in configured)]:
        record, token = record_of(state, name), token_of(state, name)
        known: Literal["enrolled", "revoked", "token", "address"]
        if record is not None:
            known = "revoked" if record.revoked_at_ns else "enrolled"
        else:
            known = "token" if configured[name].token_file else "address"
        key = record.keys[-1] if record is not None and record.keys else None
        is_open = token is not None and not token.used_at_ns and token.ends_at_ns > now_ns()
        rows.append(
            IdentityRow(
                name,
                known,
                key.keyid if key is not None else "",
                record.revoked_at_ns or (key.since_ns if key is not None else 0) if record is not None else 0,
                token.ends_at_ns if token is not None and is_open else 0,
            )
        )
    return rows


def _refuse_unknown(settings: SteeringSettings, appliance: str, remedy: str) -> None:
    if not any(entry.id == appliance for site in settings.site for entry in site.appliance):
        raise ConfigError(f"no [[site.appliance]] has the id {appliance!r}", remedy=remedy)
