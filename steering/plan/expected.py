"""What is expected of tomorrow at one site, as choosing asks for it: of some assets, of a part of the catalogue, and
which assets can come to be held at all. For large fleets ``rankings`` has the same, and looks at fewer assets. Pure.
"""

from __future__ import annotations

from typing import Protocol

from steering.plan.forecast import Bools, Floats, Ints
from steering.plan.ground import Ground


class Expected(Protocol):
    """Bytes of viewers on the day after."""

    @property
    def able_bytes(self) -> float:
        """Of all that may be held in the region."""
        ...

    @property
    def media_bytes(self) -> float:
        """Of these without manifests."""
        ...

    def at(self, places: Ints) -> Floats:
        """Of the assets in these places."""
        ...

    def everywhere(self) -> Floats:
        """By asset."""
        ...

    def near(self, capacity_bytes: float) -> Bools:
        """By asset, whether to look at it: media that may be held, among them all worth most that fill so much."""
        ...


class Listed:
    """By asset, as a list of all."""

    def __init__(self, by_asset: Floats, land: Ground) -> None:
        self._by_asset, self._land = by_asset, land

    @property
    def able_bytes(self) -> float:
        """See ``Expected``."""
        return float(self._by_asset[self._land.able].sum())

    @property
    def media_bytes(self) -> float:
        """See ``Expected``."""
        return float(self._by_asset[self._land.media].sum())

    def at(self, places: Ints) -> Floats:
        """See ``Expected``."""
        found: Floats = self._by_asset[places]
        return found

    def everywhere(self) -> Floats:
        """See ``Expected``."""
        return self._by_asset

    def near(self, capacity_bytes: float) -> Bools:
        """See ``Expected``: all of them."""
        return self._land.media.copy()
