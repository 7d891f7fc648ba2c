"""``oca-steering keys``: which keys sign URLs, and changing them by hand."""

from __future__ import annotations

from typing import Annotated

import typer
from msgspec import Struct

from oca.common.clock import now_s, utc_of
from oca.common.command import ConfigOption, JsonOption, SetOption, print_json, print_line
from oca.common.errors import ConfigError
from steering.commands.opened import opened
from steering.commands.tables import print_table
from steering.key_schedule import StoredKey
from steering.settings import SteeringSettings, load_settings
from steering.state.engine import open_state
from steering.trust.local_actor import local_actor

keys_app = typer.Typer(help="The keys that sign URLs.", no_args_is_help=True)


class KeyRow(Struct, frozen=True):
    """One key, without anything of it; ``use``: signs, or is good until the tokens it signed have ended."""

    kid: str
    algorithm: str
    made_at_ns: int
    use: str


@keys_app.command("list")
def list_keys(config: ConfigOption = None, sets: SetOption = None, json: JsonOption = False) -> None:
    """Show the keys, oldest first; never what is in them."""
    from steering.signing import read_keys  # noqa: PLC0415 - loads cryptography

    with opened(config, sets) as (_, state):
        _show(read_keys(state), json=json)


@keys_app.command("rotate")
def rotate_keys(
    revoke: Annotated[
        bool, typer.Option("--revoke", help="End all other keys at once, and with them every URL signed so far.")
    ] = False,
    config: ConfigOption = None,
    sets: SetOption = None,
    json: JsonOption = False,
) -> None:
    """Make a new key now; the others go on until what they signed has ended. A running service takes it up."""
    from steering.signing import rotate  # noqa: PLC0415 - loads cryptography

    settings = load_settings(config, sets or ())
    _refuse_off(settings)
    state = open_state(settings.state)
    try:
        _show(rotate(state, settings.signing, at_s=now_s(), now=True, revoke=revoke, actor=local_actor()), json=json)
    finally:
        state.close()


def _refuse_off(settings: SteeringSettings) -> None:
    if settings.signing.mode == "off":
        raise ConfigError(
            "URLs are not signed: [signing] mode = 'off'", remedy="set it to 'optional' or 'required' first"
        )


def _show(keys: list[StoredKey], *, json: bool) -> None:
    rows = [
        KeyRow(
            key.jwk.kid, key.jwk.alg, int(key.made_at_s * 1e9), "signs" if key is keys[-1] else "ends with its tokens"
        )
        for key in keys
    ]
    if json:
        print_json({"keys": rows})
    elif rows:
        made = [f"{utc_of(row.made_at_ns):%Y-%m-%d %H:%M:%S} UTC" for row in rows]
        print_table(
            ("key", "algorithm", "made", "use"),
            [(row.kid, row.algorithm, at, row.use) for row, at in zip(rows, made, strict=True)],
        )
    else:
        print_line("no keys: steering makes the first when it starts with [signing] mode = 'optional' or 'required'")
