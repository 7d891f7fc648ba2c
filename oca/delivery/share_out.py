"""Shares the descriptors there are between connections and packs, and says where they are too few."""

from __future__ import annotations

from oca.common.descriptors import raise_limit
from oca.common.log import get_logger
from oca.delivery.settings import DeliveryTable
from oca.delivery.shares import Shares, share
from oca.store.reader import PACKS_OPEN_MAX

_log = get_logger("supervisor")


def share_out(settings: DeliveryTable) -> Shares:
    """What each worker may have of what is set; the limit that is raised here is handed down to them."""
    fetching = settings.miss.descriptors
    descriptors_max, wanted = raise_limit() - fetching, Shares(settings.connections_max, PACKS_OPEN_MAX)
    shares = share(descriptors_max, wanted)
    if shares != wanted:
        _log.warning(
            "too few descriptors for all connections that are set and all packs; more connections are reset",
            descriptors_max=descriptors_max,
            connections_max=shares.connections_max,
            connections_set=wanted.connections_max,
            packs_max=shares.packs_max,
            remedy=f"raise LimitNOFILE to {wanted.descriptors + fetching}, or lower delivery.connections_max",
        )
    return shares
