"""How often each of many may do something: a bucket a key by GCRA (ITU-T I.371), one number each. Pure."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable

UNLIMITED = ("/steer/", "/v1/appliances/", "/health")
"""Paths that no bucket is for: one 429 ends content steering in hls.js, and such an answer costs hardly more than its
refusal; appliances prove themselves; /health tells a load balancer whether to send anyone here.
"""
HOUSEHOLD_BITS = 64
"""Of an IPv6 address: one client has that many addresses (RFC 6177)."""


def client_key(version: int, number: int) -> tuple[int, int]:
    """What counts as one client: an IPv4 address, an IPv6 /64."""
    return (4, number) if version == 4 else (6, number >> HOUSEHOLD_BITS)


class Buckets:
    """``burst`` at once, then ``rate_per_s``. Beyond ``keys_max`` the one that was quiet longest is forgotten."""

    def __init__(self, *, rate_per_s: float, burst: int, keys_max: int) -> None:
        self._step_s = 1 / rate_per_s
        self._slack_s = (burst - 1) * self._step_s
        self._keys_max = keys_max
        self._due: OrderedDict[Hashable, float] = OrderedDict()

    def take(self, key: Hashable, *, now_s: float) -> float:
        """0 if ``key`` may; otherwise how many seconds until it may, and it has taken nothing."""
        due = max(now_s, self._due.get(key, 0.0))
        wait_s = due - now_s - self._slack_s
        if wait_s > 1e-9:
            return wait_s
        self._due[key] = due + self._step_s
        self._due.move_to_end(key)
        if len(self._due) > self._keys_max:
            self._due.popitem(last=False)
        return 0.0
