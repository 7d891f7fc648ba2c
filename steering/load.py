"""How much more a box can take: its share of new viewers falls before it is full, and is nothing when it is. Pure."""

from __future__ import annotations

from math import log

from oca.common.digest import rendezvous_score
from oca.common.messages import Load

CPU_FULL_RATIO = 0.98
"""A box whose cores are all busy sends no more, whatever its links could carry."""


def use_ratio(load: Load, *, by_cpu: bool = True) -> float:
    """Share of what the box can send that it does send; by its CPU alone where no link speed is known."""
    cpu = load.cpu_ratio / CPU_FULL_RATIO if by_cpu and load.cpu_ratio > CPU_FULL_RATIO - 0.08 else 0.0
    link = load.sent_bytes_per_s / load.link_bytes_per_s if load.link_bytes_per_s else 0.0
    return max(cpu, link)


def share_taken(load: Load, *, shed_from_ratio: float, full_ratio: float, by_cpu: bool = True) -> float:
    """The share of its client networks that a box takes: 1 up to where shedding begins, 0 when it is full."""
    used = use_ratio(load, by_cpu=by_cpu)
    if used <= shed_from_ratio:
        return 1.0
    return max(0.0, (full_ratio - used) / (full_ratio - shed_from_ratio)) if full_ratio > used else 0.0


def takes(appliance: str, network: str, share: float) -> bool:
    """Whether a box that takes ``share`` takes this client network: the same ones as long as the share is the same."""
    return share >= 1.0 or rendezvous_score(f"share\0{network}", appliance) < share * 2**64


def place_of(key: str, appliance: str, capacity: float) -> float:
    """Where a box stands for ``key``, smallest first: weighted rendezvous, so that each gets keys by its capacity.

    When a box goes only its own keys move (logarithmic method, Schindelhauer and Schomaker 2005).
    """
    return -log((rendezvous_score(key, appliance) + 1) / 2**64) / capacity
