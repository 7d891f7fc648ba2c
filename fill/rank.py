"""Which of equally near sources to ask first: what failed or was slow of late goes behind, and is forgiven. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from oca.common.messages import FillSource

FAULT_PENALTY = 1.0
LASTING_PENALTY = 4.0
SLOW_PENALTY = 0.5
FORGIVEN_PENALTY = 0.25
"""Below this a source counts as one without fault."""
SOURCES_MAX = 10_000
_KINDS = ("peer", "tier", "origin")


class _Record(Struct):
    penalty: float
    at_s: float


class SourceRank:
    """Remembers sources' faults over a whole fill, and the next ones.

    Args:
        half_life_s: After so long a fault counts half.
        slow_answer_s: A source that takes longer to begin an answer is slow.
    """

    def __init__(self, *, half_life_s: float, slow_answer_s: float) -> None:
        self._half_life_s = half_life_s
        self._slow_answer_s = slow_answer_s
        self._records: dict[str, _Record] = {}

    def ordered(self, sources: Iterable[FillSource], now_s: float) -> list[FillSource]:
        """Peers, then tiers, then origins; within each the least blamed first, else as steering ranks them."""
        return sorted(sources, key=lambda source: (_KINDS.index(source.kind), self._level(source.url, now_s)))

    def failed(self, url: str, now_s: float, *, lasting: bool) -> None:
        """A source had a fault."""
        self._blame(url, LASTING_PENALTY if lasting else FAULT_PENALTY, now_s)

    def answered(self, url: str, took_s: float, now_s: float) -> None:
        """A source began to answer after so many seconds."""
        if took_s > self._slow_answer_s:
            self._blame(url, SLOW_PENALTY, now_s)

    def penalty(self, url: str, now_s: float) -> float:
        """What a source is blamed for, as it counts now."""
        record = self._records.get(url)
        if record is None:
            return 0.0
        return float(record.penalty * 0.5 ** (max(0.0, now_s - record.at_s) / self._half_life_s))

    def _blame(self, url: str, penalty: float, now_s: float) -> None:
        total = self.penalty(url, now_s) + penalty
        if url not in self._records and len(self._records) >= SOURCES_MAX:
            del self._records[min(self._records, key=lambda known: self.penalty(known, now_s))]
        self._records[url] = _Record(total, now_s)

    def _level(self, url: str, now_s: float) -> float:
        penalty = self.penalty(url, now_s)
        return penalty if penalty >= FORGIVEN_PENALTY else 0.0
