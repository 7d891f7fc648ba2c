from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from oca.cli import app
from oca.common.errors import ConfigError
from oca.common.jwk import JwkSet, SigningPolicy
from oca.signing import POLICY_FILE, read_keys_file
from tests.unit.common.signing_keys import ES, HS

URL = "http://box.example/harbour/v/1.m3u8"


def run(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["token", *arguments], catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result.output.strip()


def fails(*arguments: str) -> str:
    with pytest.raises(ConfigError) as caught:
        CliRunner().invoke(app, ["token", *arguments], catch_exceptions=False)
    return str(caught.value)


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    file = tmp_path / "keys.json"
    run("key", str(file), "--public", str(tmp_path / "public.json"))
    return file


def checked(url: str, *arguments: str) -> Any:
    found = msgspec.json.decode(CliRunner().invoke(app, ["token", "check", url, "--json", *arguments]).output)
    return found["granted"], found.get("reason", "")


def test_key_adds_to_file_that_its_owner_alone_reads(keys: Path, tmp_path: Path) -> None:
    second = run("key", str(keys), "--algorithm", "HS256")
    found = read_keys_file(str(keys))
    assert [key.alg for key in found] == ["ES256", "HS256"]
    assert found[1].kid == second
    assert [path.stat().st_mode & 0o777 for path in (keys, tmp_path / "public.json")] == [0o600, 0o600]
    (public,) = read_keys_file(str(tmp_path / "public.json"))
    assert (public.kid, public.d) == (found[0].kid, "")


@pytest.mark.parametrize("place", [(), ("--query",)])
def test_make_signs_folder_of_url_and_check_grants_it(keys: Path, tmp_path: Path, place: tuple[str, ...]) -> None:
    public = ("--keys", str(tmp_path / "public.json"))
    made = run("make", URL, "--keys", str(keys), *place)
    assert checked(made, *public) == (True, "")
    assert checked(made.replace("/harbour/", "/quay/"), *public) == (False, "wrong-uri")
    assert checked(URL, *public) == (False, "missing")


def test_check_says_why_and_shows_claims_and_no_token(keys: Path) -> None:
    made = run("make", URL, "--keys", str(keys), "--lifetime", "-5", "--issuer", "me")
    shown = run("check", made, "--keys", str(keys), code=1)
    assert shown.startswith("refused: expired: its time is over (exp)")
    assert "cdniuc = regex:/harbour/v/.*" in shown
    assert "iss = me" in shown
    assert "UTC)" in shown
    assert made.split("/")[4] not in shown


def test_make_binds_token_to_client_by_encrypted_claim(keys: Path) -> None:
    asked = ("make", URL, "--keys", str(keys), "--client", "192.0.2.0/24")
    assert "A128GCM" in fails(*asked)
    run("key", str(keys), "--algorithm", "A128GCM")
    made = run(*asked)
    assert checked(made, "--keys", str(keys), "--client", "192.0.2.9") == (True, "")
    assert checked(made, "--keys", str(keys), "--client", "192.0.3.9") == (False, "wrong-client")


def test_check_asks_as_appliance_with_these_settings_would(tmp_path: Path) -> None:
    device = tmp_path / "device"
    device.mkdir()
    file = tmp_path / "keys.json"
    file.write_bytes(msgspec.json.encode(JwkSet([HS])))
    config = tmp_path / "appliance.toml"
    config.write_text(f'[appliance]\nid = "fra1-a"\nsite = "fra1"\n[store]\ndevices = ["{device}"]\n')
    asked = ("--config", str(config))
    assert checked(URL, *asked) == (True, "")
    assert run("check", URL, *asked) == "granted: /harbour/v/1.m3u8 (no token is asked for)"
    made = run("make", URL, "--keys", str(file), "--audience", "fra1-a")
    with_file: tuple[str, ...] = (*asked, "--set", "delivery.authorisation.mode=required")
    assert checked(made, *with_file) == (False, "unknown-key")
    with_file += ("--set", f"delivery.authorisation.keys_file={file}")
    assert checked(made, *with_file) == (True, "")
    policy = SigningPolicy(revision="1" * 32, enforce="required", issuer="s", path_element="t", keys=[ES.public()])
    (device / POLICY_FILE).write_bytes(msgspec.json.encode(policy))
    assert checked(made, *asked) == (False, "unknown-key")


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (("key", "x.json", "--algorithm", "RS256"), "RS256"),
        (("make", URL, "--keys", "KEYS", "--kid", "none"), "no key none"),
        (("make", URL, "--keys", "KEYS", "--container", "prefix:/a"), "prefix:/a"),
        (("make", URL, "--keys", "KEYS", "--client", "me"), "is no prefix"),
        (("make", URL, "--keys", "PUBLIC"), "no key that can sign"),
        (("check", URL, "--keys", "KEYS", "--client", "me"), "is no address"),
        (("check", URL, "--keys", "NONE"), "cannot be read"),
    ],
)
def test_token_commands_name_what_is_wrong(keys: Path, tmp_path: Path, arguments: tuple[str, ...], wanted: str) -> None:
    places = {"KEYS": str(keys), "PUBLIC": str(tmp_path / "public.json"), "NONE": str(tmp_path / "none.json")}
    assert wanted in fails(*(places.get(each, each) for each in arguments))


def test_token_commands_name_the_flag_that_is_wrong(tmp_path: Path) -> None:
    gone = tmp_path / "gone" / "keys.json"
    assert "check --keys" in fails("make", URL, "--keys", str(gone))
    assert "check --keys" in fails("check", URL, "--keys", str(gone))
    assert "No such file or directory; name a file in a folder that is there" in fails("key", str(gone))


@pytest.mark.parametrize(
    "url", ["nonsense", "/harbour/v.m3u8", "http://box.example", "ftp://box.example/harbour/v.m3u8"]
)
def test_make_refuses_what_is_no_url(keys: Path, url: str) -> None:
    assert f"{url}: is no URL of an object" in fails("make", url, "--keys", str(keys))
