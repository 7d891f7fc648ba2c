from __future__ import annotations

from urllib.parse import parse_qs

from benchmarks.players.cmcd import cmcd_query


def told(query: str) -> str:
    assert all(32 < ord(letter) < 127 and letter not in '", ' for letter in query)
    return parse_qs(query, strict_parsing=True)["CMCD"][0]


def test_cmcd_tells_segment_in_order_of_keys() -> None:
    query = cmcd_query(
        "v",
        session="6e2fb550-c457-11e9-bb97-0800200c9a66",
        content="harbour-lights",
        bits_per_s=5_097_867,
        top_bits_per_s=5_097_867,
        duration_s=4,
        buffered_s=11.96,
        throughput_bits_per_s=25_449_000,
        is_starved=True,
        is_startup=True,
        next_name="chunk 2.m4s",
    )
    assert told(query) == (
        'bl=12000,br=5098,bs,cid="harbour-lights",d=4000,mtp=25400,nor="chunk%202.m4s",ot=v,rtp=8500,sf=h,'
        'sid="6e2fb550-c457-11e9-bb97-0800200c9a66",st=v,su,tb=5098'
    )


def test_cmcd_leaves_unknown_out() -> None:
    assert told(cmcd_query("m", session="s", content="f")) == 'cid="f",ot=m,sf=h,sid="s",st=v'


def test_cmcd_tells_empty_buffer() -> None:
    query = cmcd_query("a", session="s", content="f", bits_per_s=1000, duration_s=4, buffered_s=0)
    assert told(query) == 'bl=0,br=1,cid="f",d=4000,ot=a,rtp=100,sf=h,sid="s",st=v'


def test_cmcd_escapes_quotes_in_strings() -> None:
    assert 'cid="a\\"b\\\\c"' in told(cmcd_query("m", session="s", content='a"b\\c'))
