from __future__ import annotations

import pytest

from steering.trust.gate import wanted_role


@pytest.mark.parametrize(
    ("method", "path", "role"),
    [
        ("POST", "/v1/playback", None),
        ("GET", "/v1/playback/harbour/master.m3u8", None),
        ("GET", "/steer/hls", None),
        ("GET", "/r/harbour/video.mpd", None),
        ("POST", "/v1/appliances/fra1-a/report", None),
        ("GET", "/health", None),
        ("POST", "/v1/login", None),
        ("GET", "/page/login.js", None),
        ("OPTIONS", "/v1/fleet", None),
        ("GET", "/", "read"),
        ("GET", "/page/app.js", "read"),
        ("GET", "/v1/fleet", "read"),
        ("GET", "/v1/explain", "read"),
        ("GET", "/metrics", "read"),
        ("GET", "/v1/playbacks", "read"),
        ("GET", "/healthy", "read"),
        ("HEAD", "/v1/operators/audit", "read"),
        ("POST", "/v1/logout", "read"),
        ("POST", "/v1/playbacks", "read"),
        ("GET", "/openapi.json", None),
        ("POST", "/v1/anything/new", "operate"),
        ("DELETE", "/v1/titles/harbour", "operate"),
        ("POST", "/v1/operators/enrolments", "admin"),
    ],
)
def test_gate_names_role_of_each_path(method: str, path: str, role: str | None) -> None:
    assert wanted_role(method, path) == role
