import msgspec
import pytest

from oca.common.jwk import JwkSet
from tests.unit.common.signing_keys import ES, HS


def test_jwk_never_shows_its_secret() -> None:
    assert (repr(ES), repr(JwkSet([HS]))) == ("Jwk(es, ES256)", "JwkSet(keys=[Jwk(hs, HS256)])")


def test_jwk_leaves_private_half_out_of_its_public_one() -> None:
    public = ES.public()
    assert ES.d
    assert (public.d, public.x, public.kid, public.alg) == ("", ES.x, "es", "ES256")
    assert HS.public() == HS
    assert (ES.signs, HS.signs) == (True, True)


@pytest.mark.parametrize(
    "raw",
    [
        '{"kty":"RSA","kid":"a","alg":"RS256"}',
        '{"kty":"EC","kid":"","alg":"ES256"}',
        '{"kty":"EC","kid":"a b","alg":"ES256"}',
        '{"kty":"EC","kid":"a","alg":"none"}',
        '{"kty":"oct","kid":"a","alg":"HS256","k":"a+b"}',
    ],
)
def test_jwk_set_refuses_keys_of_other_kinds(raw: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(f'{{"keys":[{raw}]}}', type=JwkSet)
