"""How many connections each client has open; no more entries than there are connections."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable

from oca.common.log import get_logger
from steering.decision.address import Trust, parse_address
from steering.trust.rates import client_key

_log = get_logger("api")


class Crowd:
    """Connections by client: an IPv4 address, an IPv6 /64. Trusted proxies bring many, and are not counted."""

    def __init__(self, per_client_max: int, trusted: Trust) -> None:
        self._per_client_max = per_client_max
        self._trusted = trusted
        self._open: Counter[Hashable] = Counter()
        self._told: set[Hashable] = set()

    def enter(self, peer: str) -> bool:
        """Whether one more from there may begin; it must then ``leave``."""
        key = self._key(peer)
        if key is None:
            return True
        if self._open[key] >= self._per_client_max:
            if key not in self._told:
                self._told.add(key)
                _log.warning(
                    "connections of a client are refused: it has as many as it may",
                    address=peer,
                    connections_per_client_max=self._per_client_max,
                    remedy="raise [limits] connections_per_client_max if these are many viewers behind one address",
                )
            return False
        self._open[key] += 1
        return True

    def leave(self, peer: str) -> None:
        """One from there has ended."""
        key = self._key(peer)
        if key is None:
            return
        self._open[key] -= 1
        if not self._open[key]:
            del self._open[key]
            self._told.discard(key)

    def _key(self, peer: str) -> Hashable:
        address = parse_address(peer)
        if address is None or self._trusted.covers(address):
            return None
        return client_key(address.version, address.number)
