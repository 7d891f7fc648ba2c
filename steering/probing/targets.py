"""What to fetch from an appliance: the smallest object of something that it reported to hold, as it was published."""

from __future__ import annotations

from typing import NamedTuple

from oca.common.messages import ObjectDescription
from steering.decision.decider import Decider
from steering.titles.catalogue import AssetSummary, Title

OBJECT_BYTES_MAX = 256 * 2**10
KEPT_MAX = 4096
TITLES_LOOKED_AT_MAX = 200


class Target(NamedTuple):
    """One probe: ``url`` answers with ``wanted``; None: the appliance holds nothing of ours, any answer will do."""

    url: str
    wanted: ObjectDescription | None


class Targets:
    """Chooses targets, and keeps what it chose from an asset, for many appliances hold the same."""

    def __init__(self, decider: Decider) -> None:
        self._decider = decider
        self._smallest: dict[tuple[str, str], ObjectDescription | None] = {}

    def of(self, appliance: str) -> Target | None:
        """What to fetch from an appliance; None: it has not told of a URL yet.

        Raises:
            SteeringError: The state cannot be read.
        """
        report = self._decider.fleet.members[appliance].report
        if report is None:
            return None
        url = report.delivery_urls[0].rstrip("/")
        for name in self._decider.fleet.holders.titles_of(appliance, at_most=TITLES_LOOKED_AT_MAX):
            title = self._decider.catalogue.titles.get(name)
            wanted = self._object_of(appliance, title) if title is not None else None
            if title is not None and wanted is not None:
                return Target(f"{url}{self._decider.token_path(appliance, title)}{wanted.path}", wanted)
        return Target(f"{url}/", None)

    def _object_of(self, appliance: str, title: Title) -> ObjectDescription | None:
        """An object of the asset with the fewest that is held as it is published."""
        holds = self._decider.fleet.holders.holds
        held = [asset for asset in title.assets if holds(appliance, asset.asset) == asset.revision]
        held.sort(key=lambda asset: asset.objects)
        found = (self._smallest_of(asset) for asset in held)
        return next((wanted for wanted in found if wanted is not None), None)

    def _smallest_of(self, asset: AssetSummary) -> ObjectDescription | None:
        key = (asset.asset, asset.revision)
        if key not in self._smallest:
            stored = self._decider.catalogue.asset(asset.asset)
            if stored is None or stored.revision != asset.revision:
                return None  # the state is ahead of the catalogue in memory, or was: the same may be there again
            small = [each for each in stored.objects if 0 < each.bytes <= OBJECT_BYTES_MAX]
            if len(self._smallest) >= KEPT_MAX:
                self._smallest.clear()
            self._smallest[key] = min(small, key=lambda each: each.bytes, default=None)
        return self._smallest[key]
