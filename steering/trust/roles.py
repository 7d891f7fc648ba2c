"""What operators may. Pure."""

from __future__ import annotations

from typing import Literal

Role = Literal["read", "operate", "admin"]
ROLES: tuple[Role, ...] = ("read", "operate", "admin")
"""Each may what those before it may."""


def may(role: Role, wanted: Role) -> bool:
    """Whether ``role`` includes ``wanted``."""
    return ROLES.index(role) >= ROLES.index(wanted)
