import pytest

from oca.http1.fields import read_fields
from oca.http1.request import Fields, RequestError

HOST = (b"Host", b"fra1-a.example:8080")


def read(*pairs: tuple[bytes, bytes], minor: int = 1, fields_max: int = 64) -> Fields:
    return read_fields(pairs, minor=minor, fields_max=fields_max)


def refused(*pairs: tuple[bytes, bytes], minor: int = 1, fields_max: int = 64) -> tuple[str, int]:
    with pytest.raises(RequestError) as caught:
        read(*pairs, minor=minor, fields_max=fields_max)
    return caught.value.reason, caught.value.status


def test_fields_call_ordinary_browser_fields_plain() -> None:
    assert read(HOST, (b"Accept", b"*/*"), (b"Origin", b"http://a")) == Fields(host=HOST[1])


@pytest.mark.parametrize(
    ("name", "attribute"),
    [
        (b"Range", "range"),
        (b"IF-RANGE", "if_range"),
        (b"if-match", "if_match"),
        (b"If-None-Match", "if_none_match"),
        (b"If-Modified-Since", "if_modified_since"),
        (b"If-Unmodified-Since", "if_unmodified_since"),
    ],
)
def test_fields_keep_what_changes_the_answer(name: bytes, attribute: str) -> None:
    fields = read(HOST, (name, b"x"))
    assert getattr(fields, attribute) == b"x"
    assert not fields.plain
    assert not fields.usual


def test_fields_join_repeated_field() -> None:
    fields = read(HOST, (b"If-None-Match", b'"a"'), (b"if-none-match", b'"b"'))
    assert fields.if_none_match == b'"a", "b"'


def test_fields_read_connection_options() -> None:
    assert read(HOST, (b"Connection", b"Keep-Alive, Close")) == Fields(
        close=True, keep_alive=True, usual=False, host=HOST[1]
    )


def test_fields_tell_fill_traffic_from_viewers() -> None:
    assert read(HOST, (b"User-Agent", b"oca-fill/0.1.0")).fill
    assert not read(HOST, (b"User-Agent", b"Mozilla/5.0 oca-fill")).fill


@pytest.mark.parametrize("host", [b"", b"a", b"a.example", b"127.0.0.1:80", b"[::1]:8080", b"a:", b"a_b"])
def test_fields_accept_host(host: bytes) -> None:
    assert read((b"Host", host.upper())) == Fields(host=host)


@pytest.mark.parametrize("host", [b"a b", b"a/b", b"a:b", b"[::1", b"a:123456", b"u@h", b"\xff"])
def test_fields_refuse_malformed_host(host: bytes) -> None:
    assert refused((b"Host", host)) == ("host", 400)


def test_fields_refuse_missing_host_of_http_1_1_alone() -> None:
    assert refused((b"Accept", b"*/*")) == ("host-missing", 400)
    assert read((b"Accept", b"*/*"), minor=0) == Fields()


def test_fields_refuse_repeated_host() -> None:
    assert refused(HOST, HOST) == ("host-repeated", 400)
    assert refused(HOST, HOST, minor=0) == ("host-repeated", 400)


def test_fields_refuse_more_than_the_limit() -> None:
    assert read(HOST, (b"A", b"b"), fields_max=2) == Fields(host=HOST[1])
    assert refused(HOST, (b"A", b"b"), (b"C", b"d"), fields_max=2) == ("too-many-fields", 431)


@pytest.mark.parametrize(
    ("pairs", "reason"),
    [
        ([(b"Content-Length", b"5"), (b"Transfer-Encoding", b"chunked")], "length-and-transfer-encoding"),
        ([(b"Transfer-Encoding", b"chunked")], "content"),
        ([(b"Content-Length", b"5")], "content"),
        ([(b"Content-Length", b"0"), (b"Content-Length", b"0")], "content-length"),
        ([(b"Content-Length", b"+0")], "content-length"),
        ([(b"Content-Length", b"")], "content-length"),
    ],
)
def test_fields_refuse_content(pairs: list[tuple[bytes, bytes]], reason: str) -> None:
    assert refused(HOST, *pairs) == (reason, 400)


def test_fields_accept_content_of_no_bytes() -> None:
    assert read(HOST, (b"Content-Length", b"0")) == Fields(host=HOST[1])


def test_fields_refuse_expectation_that_cannot_be_met() -> None:
    assert read(HOST, (b"Expect", b"100-Continue")) == Fields(host=HOST[1])
    assert refused(HOST, (b"Expect", b"the moon")) == ("expectation", 417)
