from __future__ import annotations

import pytest

from oca.turnup.redact import redacted

OWN = {"192.0.2.1", "2001:db8::1"}


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("client=198.51.100.7 asked", "client=ADDRESS asked"),
        ("client=198.51.100.7.", "client=ADDRESS."),
        ("[2001:db8:77::9]:443", "[ADDRESS]:443"),
        ("::ffff:198.51.100.7", "ADDRESS"),
        (
            "listen 192.0.2.1:80 [2001:db8::1]:80 0.0.0.0:80 127.0.0.1",
            "listen 192.0.2.1:80 [2001:db8::1]:80 0.0.0.0:80 127.0.0.1",
        ),
        ("at 08:12:44 took 1.2.3 s, 999.1.1.1", "at 08:12:44 took 1.2.3 s, 999.1.1.1"),
        ("2026-11-26T08:12:44Z", "2026-11-26T08:12:44Z"),
        ("Authorization: Bearer abcdefgh12345", "Authorization: TOKEN"),
        ("/t/eyJhbGciOi.eyJjZG5p.c2ln/film", "/t/TOKEN/film"),
        ("https://user:pass@origin.example/x", "https:TOKENorigin.example/x"),
        ('token = "0123456789abcdef"', 'token = "SECRET"'),
        ('{"kty": "oct", "k": "c2VjcmV0LWtleQ"}', '{"kty": "oct", "k": "SECRET"}'),
        ('token_file = "/etc/oca/token"', 'token_file = "/etc/oca/token"'),
        ("-----BEGIN EC PRIVATE KEY-----\nabc\n-----END EC PRIVATE KEY-----", "KEY"),
    ],
)
def test_redact_leaves_out_viewers_and_secrets(text: str, left: str) -> None:
    assert redacted(text, OWN) == left
