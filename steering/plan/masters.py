"""Which appliances of a cluster bring an asset from afar, so that it travels there once. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from oca.common.digest import rendezvous_score
from oca.common.messages import FillProgress

PROGRESS_AGE_NS_MAX = 60 * 10**9
"""A fill that runs tells every second; one that has not for so long was killed, or cannot reach steering. One that
ended well has what its plan names, and the box's next report says so."""


def is_master(appliance: str, asset: str, others: Iterable[str], *, masters: int) -> bool:
    """Whether ``appliance`` is one of the ``masters`` that bring ``asset``, among itself and ``others`` that could."""
    own = rendezvous_score(asset, appliance)
    return sum(rendezvous_score(asset, other) > own for other in others if other != appliance) < masters


def may_bring(fill: FillProgress | None, *, planned_at_ns: int, now_ns: int) -> bool:
    """Whether an appliance that lacks an asset may bring it tonight, by what it last told of its fill.

    One whose fill has ended since the plans were made does without the asset: its plan is another, or it failed. But
    where all went well it may just not have reported yet that it has it.
    """
    if fill is None:
        return True
    heard = now_ns - fill.updated_at_ns <= PROGRESS_AGE_NS_MAX
    if fill.state == "running":
        return heard
    return fill.started_at_ns <= planned_at_ns or (fill.state == "done" and heard)
