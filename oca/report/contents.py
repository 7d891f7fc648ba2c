"""What the store holds, as steering is told it: a digest always, the list only when steering asks for it. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from oca.common.digest import revision_of
from oca.common.messages import Contents, HeldAsset


class Held:
    """The assets held at one instant, with the digest that names exactly this set."""

    def __init__(self, assets: Iterable[tuple[str, str]]) -> None:
        """Take in (asset, revision) pairs, in any order."""
        self._pairs = sorted(assets)
        self.digest = revision_of(self._pairs)

    def contents(self, *, listed: bool) -> Contents:
        """The message; ``listed`` puts every asset in."""
        assets = [HeldAsset(asset=asset, revision=revision) for asset, revision in self._pairs] if listed else None
        return Contents(digest=self.digest, assets=assets)
