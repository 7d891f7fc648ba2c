import base64
import hashlib
from typing import Any

import pytest

from oca.delivery.miss_settings import MissTable
from oca.delivery.origin_head import OriginHead, read_head

TABLE = MissTable(policy="fetch", origin_url="http://o", fresh_s=500, object_bytes_max=1000)
NOW_S = 784_111_777.5


def read(status: int = 200, path: str = "/film/1.m4s", **fields: str) -> Any:
    named = {name.replace("_", "-"): value for name, value in fields.items()}
    return read_head(status, named, path, now_s=NOW_S, table=TABLE)


def test_head_tells_what_it_brings() -> None:
    head = read(Content_Length="7", Content_Type="video/mp4; codecs=x", Last_Modified="Sun, 06 Nov 1994 08:49:00 GMT")
    assert head == OriginHead(7, "video/mp4", 784_111_740, 500, ())


@pytest.mark.parametrize("kind", ["", "nonsense", "Video/MP4", "a" * 20 + "/b", "text/html\r\nX: y"])
def test_head_falls_back_on_name_and_now(kind: str) -> None:
    head = read(path="/film/1.vtt", Content_Type=kind, Last_Modified="yesterday")
    assert (head.size, head.media_type, head.modified_at_s) == (None, "text/vtt", int(NOW_S))


def test_head_is_never_modified_in_the_future() -> None:
    assert read(Last_Modified="Mon, 07 Nov 2044 08:49:00 GMT").modified_at_s == int(NOW_S)
    assert read(Last_Modified="Sun, 06 Nov 1904 08:49:00 GMT").modified_at_s == 0


@pytest.mark.parametrize(
    ("status", "fields", "fault"),
    [
        (404, {}, "absent"),
        (410, {}, "absent"),
        (206, {}, "refused"),
        (302, {"Location": "http://elsewhere"}, "refused"),
        (503, {}, "refused"),
        (200, {"Content-Encoding": "br"}, "encoded"),
        (200, {"Content-Length": "-1"}, "refused"),
        (200, {"Content-Length": "1001"}, "too-large"),
    ],
)
def test_head_says_why_there_is_no_object(status: int, fields: dict[str, str], fault: str) -> None:
    assert read_head(status, fields, "/a", now_s=NOW_S, table=TABLE) == fault


@pytest.mark.parametrize(
    ("fields", "fresh_s"),
    [
        ({}, 500),
        ({"Cache_Control": "public"}, 500),
        ({"Cache_Control": "max-age=60"}, 60),
        ({"Cache_Control": "max-age=60, S-MaxAge=7"}, 7),
        ({"Cache_Control": 'public, max-age=60, s-maxage="70"'}, 70),
        ({"Cache_Control": "max-age=60", "Age": "45"}, 15),
        ({"Cache_Control": "max-age=60", "Age": "90"}, 0),
        ({"Cache_Control": "max-age=60", "Age": "young"}, 60),
        ({"Cache_Control": "max-age=soon"}, 0),
        ({"Cache_Control": "No-Store"}, 0),
        ({"Cache_Control": "private, max-age=60"}, 0),
        ({"Cache_Control": "no-cache"}, 0),
        ({"Cache_Control": "no-store", "CDN_Cache_Control": "max-age=9"}, 9),
        ({"Vary": "*"}, 0),
    ],
)
def test_head_tells_how_long_object_may_be_kept(fields: dict[str, str], fresh_s: int) -> None:
    named = {name.replace("_", "-"): value for name, value in fields.items()}
    head = read_head(200, named, "/a", now_s=NOW_S, table=TABLE)
    assert isinstance(head, OriginHead)
    assert head.fresh_s == fresh_s


def test_head_takes_digests_that_can_be_checked() -> None:
    value = hashlib.sha256(b"x").digest()
    text = base64.b64encode(value).decode()
    head = read(Repr_Digest=f"md5=:AAAA:, sha-256=:{text}:, sha-512=:AAA=A:", Content_Digest="sha-512=:AAAA:")
    assert dict(head.digests) == {"sha256": value, "sha512": base64.b64decode("AAAA")}
