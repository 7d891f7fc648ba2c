import base64
import json
from base64 import urlsafe_b64encode
from ipaddress import ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws

from oca.common.keyring import KeyRing
from oca.common.signing import TOKEN_BYTES_MAX, Claims, Grant, encrypt_client, find_key, read_claims, sign, verify
from oca.common.signing_reasons import REASONS
from tests.unit.common.signing_keys import (
    ENC,
    ES,
    HS,
    RFC_COMPLEX,
    RFC_KEYS,
    RFC_RENEWAL,
    RFC_SIMPLE,
    STRANGER,
    ring,
)

RING = ring(ES, HS, ENC, issuers=("steering",))
UC = "regex:/foo/.*"


def judge(token: str | bytes, keys: KeyRing = RING, audience: tuple[str, ...] = ("box", "dCDN LLC")) -> Grant | str:
    raw = token.encode() if isinstance(token, str) else token
    key = find_key(raw, keys)
    return key if isinstance(key, str) else verify(raw, key, keys, audience=audience)


def signed(claims: object, *, kid: str = "es", raw: bytes | None = None, **header: Any) -> str:
    """A token of our key with any payload and header."""
    key = RING.signing[kid]
    payload = json.dumps(claims).encode() if raw is None else raw
    return jws.serialize_compact(
        {"alg": key.alg, "kid": kid, **header}, payload, key.key, algorithms=["ES256", "HS256"]
    )


def b64(text: str | bytes) -> str:
    return base64.urlsafe_b64encode(text.encode() if isinstance(text, str) else text).rstrip(b"=").decode()


def test_verify_takes_simple_example_of_rfc() -> None:
    """Appendix A.1: hash container, issuer, expiry."""
    grant = judge(RFC_SIMPLE, ring(*RFC_KEYS, issuers=("uCDN Inc",)))
    assert isinstance(grant, Grant)
    assert (grant.kid, grant.begins_s, grant.ends_s, grant.client) == (RFC_KEYS[0].kid, 0, 1646867369, None)
    assert grant.container.covers(b"/foo/bar", b"", b"http://cdni.example")
    assert not grant.container.covers(b"/foo/bar", b"", b"http://cdn.example")


def test_verify_refuses_complex_example_of_rfc_for_its_one_time_id_alone() -> None:
    """Appendix A.2 has a jti, which must be refused where ids are not kept; all else in it is taken."""
    keys = ring(*RFC_KEYS, issuers=("uCDN Inc",))
    assert judge(RFC_COMPLEX, keys) == "token-id"
    decoded = jws.deserialize_compact(RFC_COMPLEX, keys.signing[RFC_KEYS[0].kid].key, algorithms=["ES256"])
    claims = json.loads(decoded.payload)
    del claims["jti"]
    keys.add([ES], source="test")
    grant = judge(signed(claims), keys)
    assert isinstance(grant, Grant)
    assert (grant.begins_s, grant.ends_s, grant.client) == (1646780969, 1646867369, ip_network("2001:db8::/32"))
    assert grant.container.covers(b"/foo/bar/123.png", b"", b"http://cdni.example")


def test_verify_refuses_renewal_example_of_rfc() -> None:
    """Appendix A.3 wants to be renewed by cookie, which is not done here and not passed over."""
    assert judge(RFC_RENEWAL, ring(*RFC_KEYS)) == "renewal"


@pytest.mark.parametrize(
    ("claims", "wanted"),
    [
        ({}, "malformed"),
        ([], "malformed"),
        ({"cdniuc": 1}, "malformed"),
        ({"cdniuc": UC, "exp": "soon"}, "malformed"),
        ({"cdniuc": UC, "exp": -1}, "malformed"),
        ({"cdniuc": UC, "exp": True}, "malformed"),
        ({"cdniuc": UC, "exp": 1e300}, "malformed"),
        ({"cdniuc": UC, "aud": {}}, "malformed"),
        ({"cdniuc": UC, "cdniv": 1.5}, "malformed"),
        ({"cdniuc": UC, "cdniip": 5}, "malformed"),
        ({"cdniuc": UC, "iss": "stranger"}, "issuer"),
        ({"cdniuc": UC, "aud": "other"}, "audience"),
        ({"cdniuc": UC, "aud": []}, "audience"),
        ({"cdniuc": UC, "aud": ["other", "others"]}, "audience"),
        ({"cdniuc": UC, "jti": "1"}, "token-id"),
        ({"cdniuc": UC, "cdniv": 2}, "version"),
        ({"cdniuc": UC, "cdniv": 0}, "version"),
        ({"cdniuc": UC, "cdnicrit": "geo", "geo": "DE"}, "critical-claim"),
        ({"cdniuc": UC, "cdnicrit": ""}, "critical-claim"),
        ({"cdniuc": UC, "cdnistt": 1, "cdniets": 30}, "renewal"),
        ({"cdniuc": UC, "cdnistt": 2, "cdniets": 30}, "renewal"),
        ({"cdniuc": UC, "cdnistt": 0}, "renewal"),
        ({"cdniuc": UC, "cdniets": 30}, "renewal"),
        ({"cdniuc": UC, "cdniip": "192.0.2.0/24"}, "wrong-client"),  # the RFC has it encrypted
        ({"cdniuc": UC, "cdniip": "x.y.z.a.b"}, "wrong-client"),
        ({"cdniuc": "/foo"}, "wrong-uri"),
        ({"cdniuc": "regex:("}, "wrong-uri"),
    ],
)
def test_verify_names_why_it_refuses_claims(claims: object, wanted: str) -> None:
    assert judge(signed(claims)) == wanted
    assert judge(signed(claims, kid="hs")) == wanted


@pytest.mark.parametrize(
    "claims",
    [
        {"cdniuc": UC},
        {"cdniuc": UC, "iss": "steering", "sub": "a.b.c.d.e", "iat": 1, "exp": 2, "nbf": 0.5, "cdniv": 1, "other": [1]},
        {"cdniuc": UC, "aud": "box"},
        {"cdniuc": UC, "aud": ["other", "box"]},
        {"cdniuc": UC, "cdnistt": 0, "cdniets": 30, "cdnistd": 2},
    ],
)
def test_verify_grants_good_claims(claims: dict[str, object]) -> None:
    grant = judge(signed(claims))
    assert isinstance(grant, Grant)
    assert (grant.begins_s, grant.ends_s) == (claims.get("nbf", 0.0), claims.get("exp", float("inf")))


def test_verify_names_why_it_refuses_tokens() -> None:
    good = signed({"cdniuc": UC})
    head, payload, signature = good.split(".")
    assert isinstance(judge(good), Grant)
    assert judge(good, ring(STRANGER)) == "bad-signature"
    assert judge(good, ring(HS)) == "unknown-key"
    assert judge(f"{head}.{b64(json.dumps({'cdniuc': 'regex:/.*'}))}.{signature}") == "bad-signature"
    assert judge(f"{head}.{payload}.{b64(b'x' * 64)}") == "bad-signature"
    assert judge(f"{head}.{payload}.{b64(b'x' * 63)}") == "bad-signature"
    assert judge(f"{head}.{payload}.AA") == "bad-signature"
    for header in (
        '{"alg":"none","kid":"es"}',  # RFC 8725 §3.1: the key says the algorithm
        '{"alg":"HS256","kid":"es"}',
        '{"alg":"ES256","kid":"hs"}',
        '{"alg":"ES256"}',
        '{"kid":"es"}',
    ):
        assert judge(f"{b64(header)}.{payload}.{signature}") == "unknown-key"
    critical = '{"alg":"ES256","kid":"es","crit":["b64"],"b64":false}'  # RFC 7515 §4.1.11
    assert judge(f"{b64(critical)}.{payload}.{signature}") == "critical-claim"
    for text in (
        "",
        ".",
        "..",
        "a.b",
        "a.b.c.d",
        "a.b.c=",
        "é.b.c",
        f"{head}.{payload}",
        good + "\n",
        f"{b64('[]')}.a.b",
    ):
        assert judge(text) == "malformed", text
    assert judge(b"a." + b"b" * TOKEN_BYTES_MAX + b".c") == "malformed"
    assert judge(f"{b64('[' * 2000)}.a.b") == "malformed"
    assert judge(signed(None, raw=b"[" * 2500)) == "malformed"
    assert judge(signed(None, raw=b'{"cdniuc":' + b"[" * 2500)) == "malformed"
    assert judge(signed(None, raw=b'{"a":' + b"[" * 2500)) == "malformed"
    assert judge(signed(None, raw=b"\xff")) == "malformed"


def test_verify_never_shares_signature_between_titles() -> None:
    """A token for one title, its container changed to another's."""
    one, other = (
        sign(Claims(cdniuc="regex:/a/.*"), RING.signing["es"]),
        sign(Claims(cdniuc="regex:/b/.*"), RING.signing["es"]),
    )
    swapped = ".".join((one.split(".")[0], other.split(".")[1], one.split(".")[2]))
    assert judge(swapped) == "bad-signature"


@pytest.mark.parametrize("kid", ["es", "hs"])
def test_sign_makes_what_verify_grants(kid: str) -> None:
    claims = Claims(
        cdniuc=UC, iss="steering", exp=2_000_000_000, cdniip=encrypt_client(ip_network("192.0.2.0/24"), RING)
    )
    grant = judge(sign(claims, RING.signing[kid]))
    assert isinstance(grant, Grant)
    assert (grant.kid, grant.ends_s, grant.client) == (kid, 2_000_000_000, ip_network("192.0.2.0/24"))
    assert "192" not in str(claims.cdniip)


def test_sign_needs_a_private_half() -> None:
    with pytest.raises(ValueError, match="key es holds no private half"):
        sign(Claims(cdniuc=UC), ring(ES.public()).signing["es"])


def test_networks_are_encrypted_alike_and_no_two_by_one_nonce() -> None:
    claims = {encrypt_client(ip_network(f"192.0.{number}.0/24"), RING) for number in range(200)}
    assert claims == {encrypt_client(ip_network(f"192.0.{number}.0/24"), RING) for number in range(200)}
    assert len({claim.split(".")[2] for claim in claims}) == 200


def test_encrypt_client_needs_a_key() -> None:
    with pytest.raises(KeyError):
        encrypt_client(ip_network("192.0.2.0/24"), ring(ES))


def _wrong(verdict: Grant | str) -> bool:
    return not isinstance(verdict, Grant) and verdict not in REASONS


@given(st.binary(max_size=200))
def test_verify_names_a_refusal_for_any_bytes(token: bytes) -> None:
    assert not _wrong(judge(token))
    assert not _wrong(judge(b".".join(b64(part).encode() for part in (token, token, token))))


@given(
    st.dictionaries(
        st.sampled_from(sorted(Claims.__struct_fields__)) | st.text(max_size=4),
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False)
        | st.text(max_size=30)
        | st.just(UC)
        | st.lists(st.text(max_size=3), max_size=3),
        max_size=6,
    ),
    st.sampled_from(["es", "hs"]),
)
def test_verify_grants_or_names_a_refusal_for_any_claims(claims: dict[str, object], kid: str) -> None:
    assert not _wrong(judge(signed(claims, kid=kid)))


@given(st.data())
def test_verify_refuses_token_with_any_one_character_changed(data: st.DataObject) -> None:
    token = sign(Claims(cdniuc=UC, exp=2_000_000_000), RING.signing[data.draw(st.sampled_from(["es", "hs"]))])
    place = data.draw(st.integers(0, len(token) - 2))  # of the last one some bits stand for nothing
    sign_ = data.draw(st.sampled_from("Aa0-_.Q"))
    changed = token[:place] + sign_ + token[place + 1 :]
    verdict = judge(changed)
    assert changed == token or verdict in REASONS, verdict


@given(st.text(max_size=80))
def test_verify_takes_no_client_it_cannot_read(text: str) -> None:
    """Whatever stands where the encrypted address should."""
    assert judge(signed({"cdniuc": UC, "cdniip": text})) == "wrong-client"
    assert (
        judge(signed({"cdniuc": UC, "cdniip": f"{b64(text)}..{b64(text)}.{b64(text)}.{b64(text)}"})) == "wrong-client"
    )


@pytest.mark.parametrize("kid", ["es", "hs"])
def test_verify_calls_header_that_jose_does_not_allow_malformed(kid: str) -> None:
    good = sign(Claims(cdniuc=UC), RING.signing[kid])
    header = urlsafe_b64encode(b'{"alg":"%b256","kid":"%b","typ":5}' % (kid.upper().encode(), kid.encode()))
    token = b".".join((header.rstrip(b"="), *good.encode().split(b".")[1:]))
    key = find_key(token, RING)
    assert not isinstance(key, str)
    assert verify(token, key, RING, audience=()) == "malformed"
    assert read_claims(token, RING) == {}
    assert read_claims(b"none", RING) == {}
    assert read_claims(good.encode(), RING)["kid"] == kid
