"""How much more a box can take: its share of new viewers falls before it is full, and is nothing when it is. Pure."""

from __future__ import annotations

from math import log
from typing import Protocol

from oca.common.digest import rendezvous_score
from oca.common.messages import Load
from steering.liveness import Liveness


class Box(Protocol):
    """What is asked of a candidate."""

    @property
    def appliance(self) -> str:
        """Its name."""

    @property
    def share(self) -> float:
        """Of its networks that it takes."""

    @property
    def capacity(self) -> float:
        """What it can send, against others."""

    @property
    def liveness(self) -> Liveness:
        """How it stands."""


CPU_FULL_RATIO = 0.98
"""A box whose cores are all busy sends no more, whatever its links could carry."""
CAPACITY_UNKNOWN = 125e6
"""Bytes per second of a box whose links tell no speed, against those that do."""
NO_LOAD = Load(connections=0, sent_bytes_per_s=0.0, link_bytes_per_s=0.0, cpu_ratio=0.0)


def use_ratio(load: Load, *, by_cpu: bool = True, expected_bytes_per_s: float = 0.0) -> float:
    """Share of what the box can send that it does send; by its CPU alone where no link speed is known.

    ``expected_bytes_per_s`` is what viewers will take who are on their way there.
    """
    cpu = load.cpu_ratio / CPU_FULL_RATIO if by_cpu and load.cpu_ratio > CPU_FULL_RATIO - 0.08 else 0.0
    sent_bytes_per_s = load.sent_bytes_per_s + expected_bytes_per_s
    link = sent_bytes_per_s / load.link_bytes_per_s if load.link_bytes_per_s else 0.0
    return max(cpu, link)


def share_taken(used: float, *, shed_from_ratio: float, full_ratio: float) -> float:
    """The share of its client networks that a box takes: 1 up to where shedding begins, 0 when it is full."""
    if used <= shed_from_ratio:
        return 1.0
    return max(0.0, (full_ratio - used) / (full_ratio - shed_from_ratio)) if full_ratio > used else 0.0


def share_kept(used: float, *, full_ratio: float) -> float:
    """The share of its playing viewers that a box keeps: all until it is full, then as many as it can carry.

    Moving them sooner, or all at once, would have them come and go: what they take is seen with delay.
    """
    return min(1.0, full_ratio / used) if used > 0 else 1.0


def takes(appliance: str, network: str, share: float) -> bool:
    """Whether a box that takes ``share`` takes this client network: the same ones as long as the share is the same."""
    return share >= 1.0 or rendezvous_score(f"share\0{network}", appliance) < share * 2**64


def place_of(key: str, appliance: str, capacity: float) -> float:
    """Where a box stands for ``key``, smallest first: weighted rendezvous, so that each gets keys by its capacity.

    When a box goes only its own keys move (logarithmic method, Schindelhauer and Schomaker 2005).
    """
    return -log((rendezvous_score(key, appliance) + 1) / 2**64) / capacity


def room_place(network: str, box: Box) -> tuple[bool, float]:
    """Where a box stands among those that do not take a network, smallest first: each gets them by the room it has.

    Full ones come last, the well before the ill.
    """
    if box.share <= 0:
        return (True, -box.liveness.weight)
    return (False, place_of(f"room\0{network}", box.appliance, box.share * box.capacity))
