"""``oca token``: keys and signed URLs by hand, and why one would be refused. For tests, and for who signs elsewhere."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Annotated, Any, cast
from urllib.parse import unquote_to_bytes, urlsplit

import msgspec
import typer

from oca.common.clock import now_s, utc_of
from oca.common.command import EXIT_FAILED, ConfigOption, JsonOption, SetOption, print_json, print_line
from oca.common.errors import ConfigError, StoreError
from oca.common.jwk import Jwk, JwkSet
from oca.common.signed_url import PATH_ELEMENT, place_in_path, place_in_query
from oca.common.signing_reasons import MEANINGS
from oca.delivery.authorisation import Authorisation
from oca.delivery.authorisation_settings import AuthorisationTable
from oca.settings import load_settings
from oca.signing import SigningState, read_keys_file
from oca.store import files

token_app = typer.Typer(help="Make keys and signed URLs by hand; say why one is refused.", no_args_is_help=True)
KeysOption = Annotated[Path, typer.Option("--keys", help="File of keys (a JWK set), as 'oca token key' makes.")]


class Checked(msgspec.Struct, frozen=True, omit_defaults=True):
    """What becomes of a URL; the claims are shown as they are once the signature is good, the token never."""

    granted: bool
    reason: str = ""
    meaning: str = ""
    path: str = ""
    claims: dict[str, Any] = {}


@token_app.command("key")
def key(
    file: Annotated[Path, typer.Argument(help="File of keys; made if it is not there, readable by you alone.")],
    algorithm: Annotated[
        str, typer.Option("--algorithm", help="ES256, HS256, or A128GCM for encrypted client addresses.")
    ] = "ES256",
    public: Annotated[
        Path | None, typer.Option("--public", help="Also write what an appliance needs, without private halves.")
    ] = None,
) -> None:
    """Add a new key to a file of keys."""
    from oca.common.new_key import Algorithm, new_key  # noqa: PLC0415 - loads cryptography

    if algorithm not in ("ES256", "HS256", "A128GCM"):
        raise ConfigError(f"--algorithm {algorithm!r} is none", remedy="use ES256, HS256 or A128GCM")
    made = new_key(cast(Algorithm, algorithm))
    keys = [*(read_keys_file(str(file), "FILE") if file.exists() else ()), made]
    _write(file, keys)
    if public is not None:
        _write(public, [each.public() for each in keys])
    print_line(made.kid)


def _write(file: Path, keys: list[Jwk]) -> None:
    try:
        files.write_secret(file, msgspec.json.format(msgspec.json.encode(JwkSet(keys)), indent=2))
    except StoreError as error:
        raise ConfigError(
            error.message, remedy="name a file in a folder that is there, and that you may write to"
        ) from None


@token_app.command("make")
def make(
    url: Annotated[str, typer.Argument(help="What to sign, such as http://box.example/harbour/v.m3u8.")],
    *,
    keys: KeysOption,
    kid: Annotated[str, typer.Option("--kid", help="Which key; without it, the last that can sign.")] = "",
    lifetime_s: Annotated[float, typer.Option("--lifetime", help="Seconds until it ends.")] = 3600,
    container: Annotated[
        str, typer.Option("--container", help="regex:… or hash:…; without it, all in the URL's folder, at any host.")
    ] = "",
    issuer: Annotated[str, typer.Option("--issuer", help="Who signs (iss).")] = "",
    audience: Annotated[str, typer.Option("--audience", help="For which appliance or name (aud).")] = "",
    client: Annotated[str, typer.Option("--client", help="Addresses it is good for, such as 192.0.2.0/24.")] = "",
    in_query: Annotated[bool, typer.Option("--query", help="Put it into the query, not into the path.")] = False,
    element: Annotated[str, typer.Option("--element", help="The path element before the token.")] = PATH_ELEMENT,
) -> None:
    """Print a URL with a token."""
    from oca.common.keyring import KeyRing  # noqa: PLC0415 - loads cryptography
    from oca.common.signing import Claims, encrypt_client, sign  # noqa: PLC0415
    from oca.common.uri_container import ContainerError, prefix_container, read_container  # noqa: PLC0415

    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc or not parts.path:
        raise ConfigError(f"{url}: is no URL of an object", remedy="write it like http://box.example/harbour/v.m3u8")
    known = read_keys_file(str(keys), "--keys")
    ring = KeyRing()
    ring.add(known, source=str(keys))
    able = [each.kid for each in known if each.d or each.alg == "HS256"]
    if not able or (kid and kid not in able):
        raise ConfigError(
            f"{keys}: no key {kid or 'that can sign'}", remedy=f"those that can: {', '.join(able) or 'none'}"
        )
    claim = container or prefix_container(parts.path.rpartition("/")[0] + "/")
    try:
        read_container(claim)
        for_whom = encrypt_client(ip_network(client), ring) if client else None
    except ContainerError as error:
        raise ConfigError(f"--container {claim!r}: {error}", remedy="see docs/signing.md") from None
    except ValueError:
        raise ConfigError(f"--client {client!r} is no prefix", remedy="write it like 192.0.2.0/24") from None
    except KeyError:
        raise ConfigError(
            f"{keys}: no key for --client, which is encrypted", remedy="'oca token key … --algorithm A128GCM' adds one"
        ) from None
    claims = Claims(
        cdniuc=claim, iss=issuer or None, aud=audience or None, exp=float(int(now_s() + lifetime_s)), cdniip=for_whom
    )
    token = sign(claims, ring.signing[kid or able[-1]])
    print_line(place_in_query(url, token) if in_query else place_in_path(url, token, element))


@token_app.command("check")
def check(
    url: Annotated[str, typer.Argument(help="The URL with its token, as a viewer asks for it.")],
    *,
    config: ConfigOption = None,
    keys: Annotated[Path | None, typer.Option("--keys", help="A file of keys, instead of an appliance's.")] = None,
    client: Annotated[str, typer.Option("--client", help="The viewer's address.")] = "127.0.0.1",
    sets: SetOption = None,
    json: JsonOption = False,
) -> None:
    """Say whether an appliance with these settings grants a URL, and if not, why."""
    try:
        ip_address(client)
    except ValueError:
        raise ConfigError(f"--client {client!r} is no address", remedy="write it like 192.0.2.7") from None
    if keys is not None:
        table, told, appliance = (
            AuthorisationTable(mode="required"),
            Authorisation(keys=read_keys_file(str(keys), "--keys")),
            "box",
        )
    else:
        settings = load_settings(config, sets or ())
        table, appliance = settings.delivery.authorisation, settings.appliance.id
        given: list[Authorisation] = []
        SigningState(table, [Path(device) for device in settings.store.devices], given.append)
        told = given[0]
    found = _checked(url, table, told, appliance=appliance, client=client)
    if json:
        print_json(found)
    else:
        aside = f" ({found.meaning})" if found.meaning else ""
        print_line(f"granted: {found.path}{aside}" if found.granted else f"refused: {found.reason}: {found.meaning}")
        for name, value in found.claims.items():
            when = f"  ({utc_of(int(value * 1e9)):%Y-%m-%d %H:%M:%S} UTC)" if name in ("exp", "nbf", "iat") else ""
            print_line(f"  {name} = {value}{when}")
    if not found.granted:
        raise typer.Exit(EXIT_FAILED)


def _checked(url: str, table: AuthorisationTable, told: Authorisation, *, appliance: str, client: str) -> Checked:
    """Ask the gate that workers ask."""
    parts = urlsplit(url)
    path, query = unquote_to_bytes(parts.path or "/"), parts.query.encode()
    if told.enforcement(table) == "off":
        return Checked(granted=True, path=path.decode("utf-8", "replace"), meaning="no token is asked for")
    from oca.delivery.authorise import Gate  # noqa: PLC0415 - loads cryptography
    from oca.delivery.metrics import DELIVERY_SLOTS  # noqa: PLC0415
    from oca.http1.request import Fields, Request  # noqa: PLC0415

    counts = memoryview(bytearray(8 * len(DELIVERY_SLOTS))).cast("Q")
    gate = Gate(table, told, counts, appliance=appliance)
    gate.tick(now_s())
    request = Request("GET", path, Fields(host=parts.netloc.lower().encode()), persistent=True, query=query)
    bare, refusal = gate.weigh(request, client, b"https" if parts.scheme == "https" else b"http")
    return Checked(
        granted=not refusal,
        reason=refusal,
        meaning=MEANINGS[refusal] if refusal else "",
        path=bare.path.decode("utf-8", "replace"),
        claims=gate.claims_of(request),
    )
