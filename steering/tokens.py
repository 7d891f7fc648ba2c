"""Tokens as they are kept for a title and shared by its next viewers, and until when. Pure."""

from __future__ import annotations

import math
from typing import final

from mypy_extensions import mypyc_attr

from oca.common.digest import digest_number


@final
@mypyc_attr(acyclic=True)
class Token:
    """What one is made by, and for.

    Attributes:
        kid: The key.
        shared_until_s: Until when viewers who come later get it, too, by the wall clock.
        ends_s: The second at which it is no longer good.
        claim: The client network that it is bound to, encrypted; None: any.
        path: As it stands in a URL's path.
    """

    __slots__ = ("claim", "ends_s", "kid", "path", "shared_until_s")

    def __init__(self, kid: str, claim: str | None, path: str, *, shared_until_s: float, ends_s: int) -> None:
        self.kid, self.claim, self.path = kid, claim, path
        self.shared_until_s, self.ends_s = shared_until_s, ends_s

    def is_shared(self, at_s: float, shared_s: float) -> bool:
        """Whether it is given to those who come at ``at_s``, too; not where the clock was set back.

        ``shared_s``: how long tokens are shared at most.
        """
        return 0.0 < self.shared_until_s - at_s <= shared_s


def shared_until_s(mount: str, at_s: float, shared_s: float) -> float:
    """Until when a token is shared that is made for a title now: at most so long.

    Each title has its own times, the same whoever makes the token, so that not all are due to be made at once.
    """
    ahead_s = digest_number(mount.encode()) % int(shared_s) if shared_s >= 1.0 else 0
    return (math.floor((at_s + ahead_s) / shared_s) + 1) * shared_s - ahead_s
