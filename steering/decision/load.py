"""How much more a box can take: its share of new viewers falls before it is full, and is nothing when it is. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from math import log
from typing import Protocol

from oca.common.digest import rendezvous_score, rendezvous_scores
from oca.common.messages import Load
from steering.fleet.liveness import Liveness


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


def nearly_full(load: Load, *, by_cpu: bool, expected_bytes_per_s: float) -> str:
    """Which measure ``use_ratio`` goes by, with its figures."""
    link = use_ratio(load, by_cpu=False, expected_bytes_per_s=expected_bytes_per_s)
    if by_cpu and use_ratio(load, by_cpu=True, expected_bytes_per_s=expected_bytes_per_s) > link:
        return f"nearly full, its processors are {load.cpu_ratio:.0%} busy"
    coming = f", {expected_bytes_per_s * 8 / 1e9:.2g} of them by viewers on their way" if expected_bytes_per_s else ""
    return f"nearly full, {link:.0%} of its links' {load.link_bytes_per_s * 8 / 1e9:.3g} Gbit/s{coming}"


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


def places_of(key: str, boxes: Sequence[Box]) -> list[float]:
    """Where each box stands for ``key``, smallest first: weighted rendezvous, so that each gets keys by its capacity.

    When a box goes only its own keys move (logarithmic method, Schindelhauer and Schomaker 2005).
    """
    scores = rendezvous_scores(key, [box.appliance.encode() for box in boxes])
    return [-log((score + 1) / 2**64) / box.capacity for score, box in zip(scores, boxes, strict=True)]


def room_places(network: str, boxes: Sequence[Box]) -> list[tuple[bool, float]]:
    """Where each box stands among those that do not take a network, smallest first: each gets them by its room.

    Full ones come last, the well before the ill.
    """
    scores = rendezvous_scores(f"room\0{network}", [box.appliance.encode() for box in boxes])
    return [
        (False, -log((score + 1) / 2**64) / (box.share * box.capacity))
        if box.share > 0
        else (True, -box.liveness.weight)
        for score, box in zip(scores, boxes, strict=True)
    ]
