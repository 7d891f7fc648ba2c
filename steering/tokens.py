"""A token as it is kept for a title, so that the title's next viewer finds it with the title. Pure."""

from __future__ import annotations

from typing import NamedTuple


class Token(NamedTuple):
    """What one is made by, and for.

    Attributes:
        kid: The key.
        ends_s: The second at which it is no longer good, by the wall clock.
        claim: The client network that it is bound to, encrypted; None: any.
        path: As it stands in a URL's path.
    """

    kid: str
    ends_s: int
    claim: str | None
    path: str
