"""Generated requests: each dimension of a request chosen by chance from named options, most of them usual."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

MODIFIED_AT_S = 1_700_000_000
MODIFIED = "Tue, 14 Nov 2023 22:13:20 GMT"
EARLIER = "Tue, 14 Nov 2023 22:13:19 GMT"
LATER = "Wed, 15 Nov 2023 00:00:00 GMT"
MODIFIED_850 = "Tuesday, 14-Nov-23 22:13:20 GMT"
MODIFIED_ASCTIME = "Tue Nov 14 22:13:20 2023"
OBJECTS = {
    "master.m3u8": 300,
    "index.mpd": 1500,
    "init.mp4": 1,
    "1.m4s": 70_000,
    "2.m4s": 5000,
    "audio.m4a": 10_000,
    "sub.vtt": 0,
    "thumb.jpg": 4097,
}
"""Name and size of what both servers hold."""
MOUNT = "/film/"
Kinds = dict[str, str]


@dataclass(frozen=True)
class Case:
    """One request; ``{etag}`` in it stands for the server's own tag of the object."""

    number: int
    template: str
    object: str
    kinds: Kinds
    """What was chosen in each dimension."""

    @property
    def method(self) -> str:
        return self.kinds["method"]

    def data(self, etag: str) -> bytes:
        return self.template.replace("{etag}", etag).encode("latin-1")


Option = tuple[str, int, Callable[[random.Random, int], str]]


def _says(text: str) -> Callable[[random.Random, int], str]:
    return lambda chance, size: text


def _span(chance: random.Random, size: int) -> str:
    first = chance.randrange(max(size, 1))
    return f"{first}-{min(size + 3, first + chance.randrange(max(size // 2, 1)))}"


def _spans(count: int) -> Callable[[random.Random, int], str]:
    return lambda chance, size: "bytes=" + chance.choice([",", ", "]).join(_span(chance, size) for _ in range(count))


METHODS = [("GET", 82), ("HEAD", 10), ("OPTIONS", 3), ("POST", 1), ("PUT", 1), ("DELETE", 1), ("TRACE", 1), ("BREW", 1)]
TARGETS: list[Option] = [
    ("plain", 75, _says("/film/{name}")),
    ("query", 8, _says("/film/{name}?CMCD=br%3D3200%2Cbl%3D2100")),
    ("absolute", 3, _says("http://host.example/film/{name}")),
    ("escaped", 3, lambda chance, size: chance.choice(["/f%69lm/", "/%66ilm/", "/film%2F"]) + "{name}"),
    ("missing", 4, lambda chance, size: f"/film/none-{chance.randrange(9)}.m4s"),
    ("twice-escaped", 1, _says("/f%2569lm/{name}")),
    ("dots", 1, _says("/film/../film/./{name}")),
    ("slashes", 1, _says("//film//{name}")),
    ("bad-escape", 1, _says("/film/%zz{name}")),
    ("nul-escape", 1, _says("/film/{name}%00")),
    ("outside", 1, _says("/../../../etc/passwd")),
    ("fragment", 1, _says("/film/{name}#x")),
    ("asterisk", 1, _says("*")),
    ("relative", 1, _says("film/{name}")),
    ("quote", 1, _says('/film/{name}?"<>')),
    ("authority", 1, _says("host.example:80")),
]
VERSIONS = [("1.1", 90), ("1.0", 6), ("1.2", 1), ("2.0", 1), ("0.9", 1), ("1.11", 1), ("none", 1)]
HOSTS: list[Option] = [
    ("good", 90, _says("Host: box.example\r\n")),
    ("port", 3, _says("Host: 127.0.0.1:8080\r\n")),
    ("ipv6", 1, _says("Host: [2001:db8::1]:80\r\n")),
    ("missing", 2, _says("")),
    ("empty", 1, _says("Host:\r\n")),
    ("twice", 2, _says("Host: a.example\r\nHost: a.example\r\n")),
    ("space", 1, _says("Host: a b\r\n")),
    ("slash", 1, _says("Host: a/b\r\n")),
]
RANGES: list[Option] = [
    ("none", 45, _says("")),
    ("span", 22, lambda chance, size: f"bytes={_span(chance, size)}"),
    ("open", 6, lambda chance, size: f"bytes={chance.randrange(size + 5)}-"),
    ("suffix", 6, lambda chance, size: f"bytes=-{chance.randrange(size + 5)}"),
    ("beyond", 3, lambda chance, size: f"bytes={size}-{size + 9}"),
    ("huge", 1, lambda chance, size: f"bytes=0-{'9' * chance.choice([18, 19, 30])}"),
    ("two", 4, _spans(2)),
    ("few", 3, _spans(5)),
    ("many", 1, lambda chance, size: "bytes=" + ",".join(f"{size // 17 * at}-{size // 17 * at}" for at in range(17))),
    ("bomb", 1, lambda chance, size: "bytes=" + "0-," * 300 + "0-"),
    ("backwards", 1, lambda chance, size: "bytes=9-5"),
    ("malformed", 2, lambda chance, size: "bytes=" + chance.choice(["a-b", "1-2-3", "-", "", "0-1,x", "--5", "1 -2"])),
    ("unit", 1, _says("items=0-4")),
    ("spaces", 1, lambda chance, size: "bytes= 0-0 , -1 "),
    ("unit-case", 1, _says("Bytes=0-0")),
    ("unit-spaced", 1, _says("bytes =0-0")),
    ("twice", 1, _says("bytes=0-0\r\nRange: bytes=1-1")),
]
TAGS: list[Option] = [
    ("none", 80, _says("")),
    ("same", 8, _says("{etag}")),
    ("weak", 3, _says("W/{etag}")),
    ("other", 4, _says('"other"')),
    ("list", 3, _says('"x", W/"y" ,{etag}')),
    ("list-other", 1, _says('"x","y"')),
    ("star", 1, _says("*")),
    ("garbage", 1, _says("abc")),
    ("unquoted-list", 1, _says("abc, {etag}")),
    ("empty", 1, _says("  ")),
]
DATES: list[Option] = [
    ("none", 84, _says("")),
    ("same", 5, _says(MODIFIED)),
    ("earlier", 4, _says(EARLIER)),
    ("later", 4, _says(LATER)),
    ("rfc850", 1, _says(MODIFIED_850)),
    ("asctime", 1, _says(MODIFIED_ASCTIME)),
    ("garbage", 1, _says("yesterday")),
    ("impossible", 1, _says("Tue, 31 Feb 2023 22:13:20 GMT")),
    ("zone", 1, _says("Tue, 14 Nov 2023 22:13:20 +0100")),
]
IF_RANGES: list[Option] = [
    ("none", 70, _says("")),
    ("same", 10, _says("{etag}")),
    ("date", 6, _says(MODIFIED)),
    ("weak", 4, _says("W/{etag}")),
    ("other", 4, _says('"other"')),
    ("date-earlier", 2, _says(EARLIER)),
    ("date-later", 2, _says(LATER)),
    ("garbage", 2, _says("abc")),
]
CONNECTIONS: list[Option] = [
    ("none", 80, _says("")),
    ("keep-alive", 8, _says("Connection: keep-alive\r\n")),
    ("close", 8, _says("Connection: close\r\n")),
    ("several", 2, _says("Connection: Keep-Alive, TE\r\nTE: trailers\r\n")),
    ("close-list", 1, _says("Connection: TE, Close\r\n")),
    (
        "upgrade",
        1,
        _says("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAA\r\n"),
    ),
]
OTHERS: list[Option] = [
    ("none", 70, _says("")),
    ("browser", 14, _says("User-Agent: Mozilla/5.0\r\nAccept: */*\r\nAccept-Encoding: gzip, br\r\nDNT: 1\r\n")),
    ("cmcd", 4, _says("CMCD-Request: bl=2100\r\nCMCD-Session: sid=x\r\n")),
    ("no-length", 2, _says("Content-Length: 0\r\n")),
    ("continue", 1, _says("Expect: 100-continue\r\n")),
    ("expect", 1, _says("Expect: tea\r\n")),
    ("folded", 1, _says("X-A: b\r\n c\r\n")),
    ("space-colon", 1, _says("X-A : b\r\n")),
    ("no-colon", 1, _says("X-A\r\n")),
    ("no-name", 1, _says(": b\r\n")),
    ("nul", 1, _says("X-A: b\0c\r\n")),
    ("bare-cr", 1, _says("X-A: b\rc\r\n")),
    ("bare-lf", 1, _says("X-A: b\nX-B: c\r\n")),
    ("control", 1, _says("X-A: b\x01\r\n")),
    ("latin-1", 1, _says("X-A: caf\xe9\r\n")),
    ("underscore", 1, _says("X_A: b\r\n")),
    ("bad-length", 1, _says("Content-Length: +0\r\n")),
    ("lengths", 1, _says("Content-Length: 0\r\nContent-Length: 0\r\n")),
    ("length-list", 1, _says("Content-Length: 0, 0\r\n")),
    ("length-and-chunked", 1, _says("Content-Length: 0\r\nTransfer-Encoding: chunked\r\n")),
    ("coding", 1, _says("Transfer-Encoding: tea\r\n")),
    ("identity", 1, _says("Transfer-Encoding: identity\r\n")),
    ("content", 1, _says("Content-Length: 5\r\n")),
    ("chunked", 1, _says("Transfer-Encoding: chunked\r\n")),
]
BODIES = {"content": "abcde", "chunked": "3\r\nabc\r\n0\r\n\r\n"}
CONDITIONS: list[tuple[str, list[Option]]] = [
    ("Range", RANGES),
    ("If-Range", IF_RANGES),
    ("If-None-Match", TAGS),
    ("If-Match", TAGS),
    ("If-Modified-Since", DATES),
    ("If-Unmodified-Since", DATES),
]


def cases(count: int, seed: int) -> list[Case]:
    """The same ``count`` requests for the same ``seed``."""
    chance = random.Random(seed)
    return [_case(chance, number) for number in range(count)]


def _case(chance: random.Random, number: int) -> Case:
    name = chance.choice(list(OBJECTS))
    size = OBJECTS[name]
    kinds: Kinds = {}

    def choose(dimension: str, options: Sequence[Option]) -> str:
        kind, _, make = chance.choices(options, weights=[weight for _, weight, _ in options])[0]
        kinds[dimension] = kind
        return make(chance, size)

    method, version = _pick(chance, METHODS), _pick(chance, VERSIONS)
    kinds |= {"method": method, "version": version}
    target = choose("target", TARGETS).replace("{name}", name)
    lines = [choose("host", HOSTS), choose("connection", CONNECTIONS), choose("other", OTHERS)]
    for field, options in CONDITIONS:
        value = choose(field, options)
        if kinds[field] != "none":
            lines.append(f"{field}: {value}\r\n")
    chance.shuffle(lines)
    first = f"{method} {target}" + (f" HTTP/{version}" if version != "none" else "")
    body = BODIES.get(kinds["other"], "")
    return Case(number, f"{first}\r\n{''.join(lines)}\r\n{body}", name, kinds)


def _pick(chance: random.Random, options: list[tuple[str, int]]) -> str:
    return chance.choices([name for name, _ in options], weights=[weight for _, weight in options])[0]
