"""Keys for tests, and tokens of RFC 9246's appendix A."""

from joserfc.jwk import ECKey, OctKey
from msgspec import convert

from oca.common.jwk import Jwk
from oca.common.keyring import KeyRing

RFC_KEYS = [
    Jwk(
        kty="EC",
        kid="P5UpOv0eMq1wcxLf7WxIg09JdSYGYFDOWkldueaImf0",
        use="sig",
        alg="ES256",
        crv="P-256",
        x="be807S4O7dzB6I4hTiCUvmxCI6FuxWba1xYBlLSSsZ8",
        y="rOGC4vI69g-WF9AGEVI37sNNwbjIzBxSjLvIL7f3RBA",
    ),
    Jwk(
        kty="oct",
        kid="f-WbjxBC3dPuI3d24kP2hfvos7Qz688UTi6aB0hN998",
        use="enc",
        alg="A128GCM",
        k="4uFxxV7fhNmrtiah2d1fFg",
    ),
]
_HEADER = "eyJhbGciOiJFUzI1NiIsImtpZCI6IlA1VXBPdjBlTXExd2N4TGY3V3hJZzA5SmRTWUdZRkRPV2tsZHVlYUltZjAifQ"
RFC_SIMPLE = (
    f"{_HEADER}."
    "eyJleHAiOjE2NDY4NjczNjksImlzcyI6InVDRE4gSW5jIiwiY2RuaXVjIjoiaGFzaDpzaGEtMjU2OzJ0ZGVyZldQYTg2S3U3WW56"
    "VzUxWVVwN2RHVWpCU18zU1czRUx4NGhtV1kifQ"
    ".TaNlJM3D96i_9J9XvlICO6FUIDFTqt3E2YJkEUOLfcH0b89wYRKTbJ9Yj6h_GRgSoZoQO0cps3yUPcWGK3smCw"
)
RFC_COMPLEX = (
    f"{_HEADER}."
    "eyJhdWQiOiJkQ0ROIExMQyIsInN1YiI6ImV5SmxibU1pT2lKQk1USTRSME5OSWl3aVlXeG5Jam9pWkdseUlpd2lhMmxrSWpvaVpp"
    "MVhZbXA0UWtNelpGQjFTVE5rTWpSclVESm9ablp2Y3pkUmVqWTRPRlZVYVRaaFFqQm9Uams1T0NKOS4uQ0xBdTgweGNsYzhCcC1V"
    "aS42UDFBM0Y2aXAyRHYuQ29oZHRMTHBnQm5UdlJKUUNGdXotZyIsImNkbmlpcCI6ImV5SmxibU1pT2lKQk1USTRSME5OSWl3aVlX"
    "eG5Jam9pWkdseUlpd2lhMmxrSWpvaVppMVhZbXA0UWtNelpGQjFTVE5rTWpSclVESm9ablp2Y3pkUmVqWTRPRlZVYVRaaFFqQm9U"
    "ams1T0NKOS4uYVVEREZFUUJJYzNuV2pPYi5iR1hXVEhQa250bVBDS24wcFBQTkVRLml5VHR0bkZ5Yk8yWUJMcXdsX1lTakEiLCJj"
    "ZG5pdiI6MSwiZXhwIjoxNjQ2ODY3MzY5LCJpYXQiOjE2NDY2OTQ1NjksImlzcyI6InVDRE4gSW5jIiwianRpIjoiNURBYWZMaFpB"
    "ZmhzYmUiLCJuYmYiOjE2NDY3ODA5NjksImNkbml1YyI6InJlZ2V4Omh0dHA6Ly9jZG5pXFwuZXhhbXBsZS9mb28vYmFyL1swLTld"
    "ezN9XFwucG5nIn0"
    ".IjmVX0uD5MYqArc-M08uEsEeoDQn8kuYXZ9HGHDmDDxsHikT0c8jcX8xYD0z3LzQclMG65i1kT2sRbZ7isUw8w"
)
RFC_RENEWAL = (
    f"{_HEADER}."
    "eyJjZG5pZXRzIjozMCwiY2RuaXN0dCI6MSwiY2RuaXN0ZCI6MiwiZXhwIjoxNjQ2ODY3MzY5LCJjZG5pdWMiOiJyZWdleDpodHRw"
    "Oi8vY2RuaVxcLmV4YW1wbGUvZm9vL2Jhci9bMC05XXszfVxcLnRzIn0"
    ".tlPvoKw3BCClw4Lx9PQu7MK6b2IN55ZoCPSaxovGK0zS53Wpb1MbJBow7G8LiGR39h6-2Iq7PWUSr3MdTIzHYw"
)


def _named(key: ECKey | OctKey, kid: str, alg: str) -> Jwk:
    return convert({**key.as_dict(private=True), "kid": kid, "alg": alg}, Jwk)


ES = _named(ECKey.generate_key("P-256"), "es", "ES256")
HS = _named(OctKey.generate_key(256), "hs", "HS256")
ENC = _named(OctKey.generate_key(128), "enc", "A128GCM")
STRANGER = _named(ECKey.generate_key("P-256"), "es", "ES256")
"""Of the same kid as ``ES``, and another key."""


def ring(*keys: Jwk, issuers: tuple[str, ...] = ()) -> KeyRing:
    made = KeyRing()
    made.add(keys, source="test", issuers=issuers)
    return made
