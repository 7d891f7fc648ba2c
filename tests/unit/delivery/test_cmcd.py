"""Vectors: what npm's @svta/cml-cmcd 2.7.0 writes, the library inside hls.js and Shaka; and our own players."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.players.cmcd import cmcd_query
from oca.delivery.cmcd import DATA_BYTES_MAX, Told, data_of, told_encoded, told_plain

V1_QUERY = (
    b"CMCD=bl%3D21300%2Cbr%3D3200%2Cbs%2Ccid%3D%22faec5fc2-ac30-11ea-bb37-0242ac130002%22%2Cd%3D4004%2Cdl%3D18500%2C"
    b"mtp%3D48100%2Cnor%3D%22..%252F300kbps%252Fsegment35.m4v%22%2Cot%3Dv%2Cpr%3D1.08%2Crtp%3D12000%2Csf%3Dd%2C"
    b"sid%3D%226e2fb550-c457-11e9-bb97-0800200c9a66%22%2Cst%3Dv%2Csu%2Ctb%3D6000"
)
V2_QUERY = (
    b"CMCD=bl%3D(21300)%2Cbr%3D(3200)%2Cbs%2Ccid%3D%22faec5fc2-ac30-11ea-bb37-0242ac130002%22%2Cd%3D4004%2Cdl%3D18500"
    b"%2Cmtp%3D(48100)%2Cnor%3D(%22..%2F300kbps%2Fsegment35.m4v%22)%2Cot%3Dv%2Cpr%3D1.08%2Crtp%3D12000%2Csf%3Dd%2C"
    b"sid%3D%226e2fb550-c457-11e9-bb97-0800200c9a66%22%2Cst%3Dv%2Csu%2Ctb%3D(6000)%2Cv%3D2"
)
V1_FIELDS = (
    b'bl=21300,dl=18500,mtp=48100,nor="..%2F300kbps%2Fsegment35.m4v",su',
    b"br=3200,d=4004,ot=v,tb=6000",
    b"bs,pr=1.08,rtp=12000",
    b'cid="faec5fc2-ac30-11ea-bb37-0242ac130002",sf=d,sid="6e2fb550-c457-11e9-bb97-0800200c9a66",st=v',
)
V2_FIELDS = (
    b'bl=(21300),dl=18500,mtp=(48100),nor=("../300kbps/segment35.m4v"),su',
    b"br=(3200),d=4004,ot=v,tb=(6000)",
    b"bs,pr=1.08,rtp=12000",
    b'cid="faec5fc2-ac30-11ea-bb37-0242ac130002",sf=d,sid="6e2fb550-c457-11e9-bb97-0800200c9a66",st=v,v=2',
)
ALL = Told(wanted=12000, bitrate=3200, throughput=48100, buffer_ms=21300, starved=True, urgent=True)


@pytest.mark.parametrize("query", [V1_QUERY, V2_QUERY])
def test_cmcd_reads_query_of_players(query: bytes) -> None:
    for whole in (query, b"token=x&" + query + b"&y=1", b"aCMCD=1&" + query):
        assert told_encoded(data_of(whole)) == ALL


@pytest.mark.parametrize("fields", [V1_FIELDS, V2_FIELDS])
def test_cmcd_reads_fields_of_players(fields: tuple[bytes, ...]) -> None:
    assert told_plain(b",".join(fields)) == ALL
    assert told_plain(b",".join(reversed(fields))) == ALL


def test_cmcd_reads_query_of_our_own_players() -> None:
    query = cmcd_query(
        "v",
        session="s",
        content='film "one"',
        bits_per_s=3_200_000,
        duration_s=4,
        buffered_s=8,
        throughput_bits_per_s=25_000_000,
        is_startup=True,
        next_name="seg 2.m4s",
    ).encode()
    assert told_encoded(data_of(query)) == Told(8000, 3200, 25000, 8000, starved=False, urgent=True)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"bl=(3600;v 1200;a),br=(128;a 3000;v),mtp=(900)", Told(bitrate=128, throughput=900, buffer_ms=3600)),
        (b"br=3200, rtp=100 , bs", Told(100, 3200, starved=True)),
        (b"rtp=1,rtp=2", Told(2)),  # RFC 8941 §4.2.2: the last of a key counts
        (b"bs=?0,su=?0,rtp=5", Told(5)),  # a boolean that is false
        (b"ot=m,sf=h", Told()),
        (b'sid="a b",v=2', Told()),
        (b"rtp=", None),
        (b"rtp=12,34x=", Told(12)),
        (b"rtp=1234567890", Told()),  # longer than any rate, yet no broken syntax
        (b"rtp=-5", Told()),
        (b"rtp=5.5", Told()),
        (b"brrtp=5", Told()),
        (b"rtp", Told()),
        (b"", None),
        (b'sid="', None),
        (b"\xff\x00", None),
        (b"br=1," * (DATA_BYTES_MAX // 5 + 1), None),
    ],
)
def test_cmcd_reads_plain_data(data: bytes, told: Told | None) -> None:
    assert told_plain(data) == told


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"br=3200,rtp=100,su", Told(100, 3200, urgent=True)),  # not encoded at all
        (b"br%3d3200%2crtp%3d100", Told(100, 3200)),  # in lower case
        (b"br%3D%28128%3Ba%29%2Crtp%3D5", Told(5, 128)),
        (b"su", Told(urgent=True)),
        (b"su%3D%3F0", Told()),
        (b"%", None),
        (b"%22", None),
        (b"rtp%3D1" + b"%2Cbr%3D1" * (DATA_BYTES_MAX // 9), None),
    ],
)
def test_cmcd_reads_encoded_data(data: bytes, told: Told | None) -> None:
    assert told_encoded(data) == told


@pytest.mark.parametrize("query", [b"", b"a=1", b"xCMCD=rtp%3D1", b"cmcd=rtp%3D1", b"CMCD=", b"CMCD=&rtp=1"])
def test_cmcd_finds_nothing_in_other_queries(query: bytes) -> None:
    assert data_of(query) == b""


@pytest.mark.parametrize("data", [b"a=b   ," * 12 + b"(", b"a=" + b" " * 2040 + b'"', b"a=b" + b" \t" * 1000 + b"("])
def test_cmcd_refuses_ambiguous_blanks_in_bounded_time(data: bytes) -> None:
    began = time.process_time()
    assert told_plain(data) is None
    assert time.process_time() - began < 0.02


@given(st.binary(max_size=300) | st.text('brtpsulm=%2C3D,;()"1 ', max_size=80).map(str.encode))
def test_cmcd_never_fails_on_anything(data: bytes) -> None:
    for told in (told_plain(data), told_encoded(data)):
        assert told is None or 0 <= max(told.wanted, told.bitrate, told.throughput, told.buffer_ms) < 10**9
