"""Which role a request needs. Pure. What is not named here as open is the operators': new endpoints begin closed."""

from __future__ import annotations

from steering.trust.roles import Role

OPEN = ("/health", "/v1/login", "/v1/playback", "/openapi.json")
OPEN_BELOW = ("/steer/", "/r/", "/v1/playback/", "/v1/appliances/", "/page/login.", "/page/style.css", "/page/icon.svg")
"""Players', appliances' (which have proofs of their own), and what the page needs to ask for a password."""
ADMIN_BELOW = "/v1/operators/"
ASKING = ("/v1/playbacks",)
"""What only asks, though by POST: it needs what looking needs, and is no change to write down."""


def wanted_role(method: str, path: str) -> Role | None:
    """The role that a request needs; None: anyone may."""
    if method == "OPTIONS" or path in OPEN or path.startswith(OPEN_BELOW):
        return None
    if method in ("GET", "HEAD"):
        return "read"
    if path == "/v1/logout" or path in ASKING:
        return "read"
    return "admin" if path.startswith(ADMIN_BELOW) else "operate"
