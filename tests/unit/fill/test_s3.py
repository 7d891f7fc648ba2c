from __future__ import annotations

import pytest
from yarl import URL

from fill.s3 import UNSIGNED, Bucket, S3Signer

BUCKET = Bucket("https://films.s3.example.com/tonight", "eu-central-1", "AKIAEXAMPLE", "nobody-sees-this")
OTHER = Bucket("https://films.s3.example.com/tonight/other", "us-east-1", "AKIAOTHER", "nor-this")


def test_signer_signs_what_is_below_its_bucket_alone() -> None:
    signer = S3Signer([BUCKET])
    for strange in (
        "https://films.s3.example.com/tomorrow/a",
        "https://films.s3.example.com/tonightly/a",
        "http://films.s3.example.com/tonight/a",
        "https://films.s3.example.com.example.net/tonight/a",
    ):
        assert signer.signed(URL(strange), {"Range": "bytes=1-2"}) == {"Range": "bytes=1-2"}
    signed = signer.signed(URL("https://films.s3.example.com/tonight/a"), {"Range": "bytes=1-2"})
    assert signed["Authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE/")
    assert "/eu-central-1/s3/aws4_request" in signed["Authorization"]
    assert "range" in signed["Authorization"].partition("SignedHeaders=")[2].partition(",")[0].split(";")
    assert BUCKET.secret not in str(signed)


def test_signer_takes_the_key_of_the_longest_url() -> None:
    signed = S3Signer([BUCKET, OTHER]).signed(URL("https://films.s3.example.com/tonight/other/a"), {})
    assert "Credential=AKIAOTHER/" in signed["Authorization"]


@pytest.mark.parametrize(
    ("base", "url"),
    [
        ("https://films.s3.example.com/tonight", "https://films.s3.example.com/tonight/a/it%27s%40%2B1.m4s"),
        ("https://elsewhere.example.com", "https://elsewhere.example.com/a/it's@+1.m4s"),
    ],
)
def test_signer_escapes_path_as_the_signature_has_it(base: str, url: str) -> None:
    assert str(S3Signer([BUCKET]).url_of(base, "/a/it's@+1.m4s")) == url


def test_signer_without_buckets_signs_nothing() -> None:
    assert UNSIGNED.signed(URL("https://films.s3.example.com/tonight/a"), {}) == {}
