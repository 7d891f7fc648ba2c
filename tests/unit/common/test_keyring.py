import pytest
from msgspec import structs

from oca.common.errors import ConfigError
from oca.common.jwk import Jwk
from oca.common.keyring import KeyRing
from tests.unit.common.signing_keys import ENC, ES, HS, RFC_KEYS, ring


def test_ring_tells_keys_for_signatures_from_keys_for_claims() -> None:
    made = ring(ES, HS, ENC, *RFC_KEYS, issuers=("a",))
    assert {kid: key.alg for kid, key in made.signing.items()} == {
        "es": "ES256",
        "hs": "HS256",
        RFC_KEYS[0].kid: "ES256",
    }
    assert set(made.encrypting) == {"enc", RFC_KEYS[1].kid}
    assert made.signing["es"].issuers == {"a"}
    assert repr(made.signing["es"]) == "SigningKey(es)"


@pytest.mark.parametrize(
    "key",
    [
        structs.replace(ES, x=ES.y),  # not on the curve
        structs.replace(ES, y=""),
        structs.replace(ES, crv=""),
        structs.replace(ES, kty="oct"),
        structs.replace(HS, k=ENC.k),  # too short: RFC 7518 §3.2
        structs.replace(HS, kty="EC"),
        structs.replace(HS, k=""),
        structs.replace(ENC, k=HS.k),
        structs.replace(ENC, alg="A256GCM"),
    ],
)
def test_ring_refuses_what_is_no_key_and_shows_nothing_of_it(key: Jwk) -> None:
    with pytest.raises(ConfigError) as caught:
        KeyRing().add([key], source="/etc/keys.json")
    assert str(caught.value).startswith(f"/etc/keys.json: key {key.kid} is no {key.alg} key; ")
    assert caught.value.__cause__ is None
    for secret in (ES.d, ES.x, HS.k, ENC.k):
        assert secret not in str(caught.value)


def test_ring_refuses_two_keys_of_one_name() -> None:
    made = ring(ES)
    with pytest.raises(ConfigError, match="two keys have the kid es"):
        made.add([ES], source="steering")
