"""In which order a plan is filled. Pure; who carries it out is the agent."""

from __future__ import annotations

from collections.abc import Iterable

from oca.common.messages import PlannedAsset


def in_order(assets: Iterable[PlannedAsset]) -> list[PlannedAsset]:
    """What has a deadline first, the nearest release first; then the plan's own order.

    A plan lists best first, but what nobody has watched yet stands near its end: by that order alone a release would
    be filled after everything that can wait.
    """
    return sorted(assets, key=lambda planned: planned.release_at_ns or 2**63)
