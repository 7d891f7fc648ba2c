from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fill import rank as rank_module
from fill.rank import FAULT_PENALTY, LASTING_PENALTY, SourceRank
from oca.common.messages import FillSource, SourceKind


def source(name: str, kind: SourceKind = "peer") -> FillSource:
    return FillSource(kind=kind, url=f"http://{name}")


A, B, TIER, ORIGIN = source("a"), source("b"), source("t", "tier"), source("o", "origin")


def new_rank() -> SourceRank:
    return SourceRank(half_life_s=100.0, slow_answer_s=1.0)


def test_rank_keeps_steerings_order_of_sources_without_fault() -> None:
    assert new_rank().ordered([B, A, TIER, ORIGIN], 0.0) == [B, A, TIER, ORIGIN]


def test_rank_puts_failed_source_behind_others_of_its_step_and_forgives_it() -> None:
    rank = new_rank()
    rank.failed(A.url, 0.0, lasting=False)
    assert rank.ordered([A, B, TIER, ORIGIN], 1.0) == [B, A, TIER, ORIGIN]
    assert rank.ordered([A, B], 199.0) == [B, A]
    assert rank.ordered([A, B], 201.0) == [A, B]


def test_rank_blames_lies_more_than_failures_and_failures_more_than_slowness() -> None:
    rank = new_rank()
    rank.answered(A.url, 1.5, 0.0)
    rank.answered(B.url, 0.9, 0.0)
    assert rank.ordered([A, B], 0.0) == [B, A]
    rank.failed(B.url, 0.0, lasting=False)
    assert rank.ordered([B, A], 0.0) == [A, B]
    rank.failed(A.url, 0.0, lasting=True)
    assert rank.ordered([A, B], 0.0) == [B, A]


@given(st.lists(st.floats(0, 50), min_size=1, max_size=30))
def test_rank_adds_faults_up_and_halves_them_by_time(pauses: list[float]) -> None:
    rank, now, wanted = new_rank(), 0.0, 0.0
    for pause in pauses:
        now += pause
        wanted = wanted * 0.5 ** (pause / 100.0) + FAULT_PENALTY
        rank.failed(A.url, now, lasting=False)
    assert rank.penalty(A.url, now) == pytest.approx(wanted)
    assert rank.penalty(A.url, now - 1) == pytest.approx(wanted), "a clock behind forgives nothing"


def test_rank_forgets_the_least_blamed_where_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rank_module, "SOURCES_MAX", 2)
    rank = new_rank()
    rank.failed(A.url, 0.0, lasting=True)
    rank.failed(B.url, 0.0, lasting=False)
    rank.failed(ORIGIN.url, 0.0, lasting=False)
    penalties = [rank.penalty(known.url, 0.0) for known in (A, B, ORIGIN)]
    assert penalties == [LASTING_PENALTY, 0.0, FAULT_PENALTY]
