from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from oca.common.box import SteeringTable
from oca.common.errors import ConfigError
from oca.common.http_signature import private_text, public_text, read_signature, thumbprint, verifies
from oca.common.identity import Credentials, Identity, read_identity
from oca.common.new_key import new_pair

PATH = "/v1/appliances/fra1-a/report"


def write(path: Path, appliance: str = "fra1-a") -> str:
    """A new identity in ``path``; its key id."""
    private = new_pair()
    keyid = thumbprint(public_text(private))
    identity = Identity(appliance=appliance, keyid=keyid, private=private_text(private))
    fresh = path.with_name("fresh")
    fresh.write_bytes(msgspec.json.encode(identity))
    fresh.replace(path)
    return keyid


def shown_keyid(credentials: Credentials) -> str:
    shown = read_signature(credentials.headers("POST", PATH, b"{}"))
    assert shown is not None
    return shown.keyid


def test_credentials_fall_back_to_token_and_address(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("0123456789abcdef\n")
    missing = str(tmp_path / "identity.json")
    by_token = Credentials(SteeringTable(token_file=str(tmp_path / "token"), identity_file=missing), "fra1-a")
    assert by_token.kind == "token"
    assert by_token.headers("GET", PATH) == {"Authorization": "Bearer 0123456789abcdef"}
    bare = Credentials(SteeringTable(identity_file=""), "fra1-a")
    assert (bare.kind, bare.headers("POST", PATH, b"{}")) == ("address", {})


def test_credentials_sign_each_request_anew(tmp_path: Path) -> None:
    path = tmp_path / "identity.json"
    keyid = write(path)
    credentials = Credentials(SteeringTable(identity_file=str(path)), "fra1-a")
    assert credentials.kind == "key"
    shown = [read_signature(credentials.headers("GET", PATH)) for _ in range(100)]
    assert {one.keyid for one in shown if one is not None} == {keyid}
    assert len({one.nonce for one in shown if one is not None}) == 100


def test_credentials_follow_a_new_identity(tmp_path: Path) -> None:
    """'oca enrol' runs beside the daemon, which must not need to be told."""
    path = tmp_path / "identity.json"
    credentials = Credentials(SteeringTable(identity_file=str(path)), "fra1-a")
    assert credentials.headers("GET", PATH) == {}
    first = write(path)
    assert shown_keyid(credentials) == first
    second = write(path)
    assert shown_keyid(credentials) == second != first
    path.write_text("{}")
    for _ in range(2):
        with pytest.raises(ConfigError, match="is no identity"):
            credentials.headers("GET", PATH)
    third = write(path)
    assert shown_keyid(credentials) == third


def test_credentials_sign_what_they_are_given(tmp_path: Path) -> None:
    path = tmp_path / "identity.json"
    write(path)
    headers = Credentials(SteeringTable(identity_file=str(path)), "fra1-a").headers("POST", PATH, b"{}")
    shown, identity = read_signature(headers), read_identity(str(path), appliance="fra1-a")
    assert shown is not None
    assert identity is not None
    from oca.common.http_signature import read_private

    public = read_private(identity.private).public_key()
    assert verifies(shown, public, "POST", PATH, query="", digest=headers["Content-Digest"])


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is no identity"),
        (b'{"appliance": "fra1-a"}', "is no identity: Object missing required field `keyid`"),
        (b'{"appliance": "fra1-a", "keyid": "x", "private": "short"}', r"is no identity: .*\$\.private"),
    ],
)
def test_identity_that_is_none_is_named(tmp_path: Path, content: bytes, says: str) -> None:
    (tmp_path / "identity.json").write_bytes(content)
    with pytest.raises(ConfigError, match=says) as caught:
        read_identity(str(tmp_path / "identity.json"), appliance="fra1-a")
    assert "oca enrol" in caught.value.remedy


def test_identity_of_another_box_is_refused(tmp_path: Path) -> None:
    """A cloned disk: the copy must not speak as the first."""
    write(tmp_path / "identity.json", "fra1-b")
    with pytest.raises(ConfigError, match="is the identity of fra1-b, and this is fra1-a"):
        Credentials(SteeringTable(identity_file=str(tmp_path / "identity.json")), "fra1-a")


def test_identity_that_cannot_be_read_is_no_missing_one(tmp_path: Path) -> None:
    (tmp_path / "identity.json").mkdir()
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        read_identity(str(tmp_path / "identity.json"), appliance="fra1-a")


def test_identity_never_shows_its_key(tmp_path: Path) -> None:
    write(tmp_path / "identity.json")
    identity = read_identity(str(tmp_path / "identity.json"), appliance="fra1-a")
    assert identity is not None
    assert identity.private not in repr(identity)
