"""An appliance as a decision sees it, and a source that lost. Pure."""

from __future__ import annotations

from typing import final

from mypy_extensions import mypyc_attr

from oca.common.messages import Load
from steering.decision.load import CAPACITY_UNKNOWN, nearly_full, share_kept, share_taken, use_ratio
from steering.fleet.liveness import Heard, Liveness
from steering.settings import FleetTable


@final
@mypyc_attr(acyclic=True)
class Candidate:
    """An appliance as the decision sees it; never changed.

    Attributes:
        capacity: What it can send, against others; any unit.
        share: The share of client networks that it takes, by its load (load.share_taken) and its weight.
        keys: Ids of the keys by which it checks tokens.
        kept: The share of networks whose playing viewers it keeps (load.share_kept), by its weight.
        expected_bytes_per_s: What viewers will take who are on their way there, as ``share`` and ``kept`` have it.
        heard: Of one about which nothing but the age of its report can be told: it is told by the clock.
        full: Which measure it is nearly full by; empty where it is not.
        takes_viewers: Whether new viewers may be sent there.
    """

    __slots__ = (
        "appliance",
        "capacity",
        "expected_bytes_per_s",
        "full",
        "heard",
        "kept",
        "keys",
        "liveness",
        "share",
        "takes_viewers",
        "url",
    )

    def __init__(
        self,
        appliance: str,
        url: str,
        liveness: Liveness,
        *,
        capacity: float = 1.0,
        share: float = 1.0,
        keys: tuple[str, ...] = (),
        kept: float = 1.0,
        expected_bytes_per_s: float = 0.0,
        heard: Heard | None = None,
        full: str = "",
    ) -> None:
        self.appliance, self.url, self.liveness = appliance, url, liveness
        self.capacity, self.share, self.keys, self.kept = capacity, share, keys, kept
        self.expected_bytes_per_s, self.heard, self.full = expected_bytes_per_s, heard, full
        self.takes_viewers = liveness.takes_viewers

    def why(self, now_s: float) -> str:
        """Its verdict in words; ``now_s`` on the clock of ``heard``."""
        return self.heard.why(now_s) if self.heard is not None else self.liveness.why


def candidate_of(
    appliance: str,
    liveness: Liveness,
    load: Load,
    fleet: FleetTable,
    *,
    expected_bytes_per_s: float,
    url: str = "",
    keys: tuple[str, ...] = (),
    heard: Heard | None = None,
) -> Candidate:
    """A box that has told its load: what it takes and keeps of its viewers by that, and by its weight."""
    used = use_ratio(load, by_cpu=fleet.shed_by_cpu, expected_bytes_per_s=expected_bytes_per_s)
    share = share_taken(used, shed_from_ratio=fleet.shed_from_ratio, full_ratio=fleet.full_ratio)
    kept = share_kept(used, full_ratio=fleet.full_ratio)
    full = ""
    if share < 1.0:
        full = nearly_full(load, by_cpu=fleet.shed_by_cpu, expected_bytes_per_s=expected_bytes_per_s)
    weight = liveness.weight
    if weight != 1.0:
        share, kept = share * weight, kept * weight
    return Candidate(
        appliance,
        url,
        liveness,
        capacity=load.link_bytes_per_s or CAPACITY_UNKNOWN,
        share=share,
        keys=keys,
        kept=kept,
        expected_bytes_per_s=expected_bytes_per_s,
        heard=heard,
        full=full,
    )


@final
@mypyc_attr(acyclic=True)
class Rejected:
    """A source that was considered and lost."""

    __slots__ = ("pathway", "why")

    def __init__(self, pathway: str, why: str) -> None:
        self.pathway, self.why = pathway, why
