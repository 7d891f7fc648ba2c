from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from oca.common.messages import Health
from oca.report.health import REASON_CHARACTERS_MAX, REASONS_MAX, Judge, explained
from oca.report.health_settings import HealthTable
from oca.report.readings import DeviceReading, LinkReading, Readings, WorkerReading

GIB = 2**30
GOOD = Readings(
    workers=(WorkerReading(0, ready=True), WorkerReading(1, ready=True)),
    devices=(DeviceReading("/d0", "", GIB),),
    links=(LinkReading("eth0", up=True, why=""),),
    requests=1000,
    errors=0,
    cpu_ratio=0.1,
    memory_available_ratio=0.5,
)
DARK = LinkReading("eth0", up=False, why="no carrier")


def test_health_is_ok_while_nothing_is_amiss() -> None:
    judged = Judge(HealthTable()).judge(GOOD, 0)
    assert judged.health == Health(verdict="ok", reasons=[], weight=1.0)
    assert judged.kinds == frozenset()


def test_health_takes_fault_at_once_and_lets_go_of_it_soon() -> None:
    judge = Judge(HealthTable(fault_release_s=2))
    failed = judge.judge(replace(GOOD, links=(DARK,)), 0).health
    assert failed == Health(
        verdict="failed", reasons=["no link of a delivery address is up", "link eth0: no carrier"], weight=0.0
    )
    still = judge.judge(GOOD, 1).health
    assert (still.verdict, still.reasons[1]) == (
        "failed",
        "link eth0: no carrier (not at this moment; counts until it was well for 2.0 s more)",
    )
    assert judge.judge(GOOD, 3).health == Health(verdict="ok", reasons=[])


def test_health_takes_value_that_lasts_and_gives_lowest_weight() -> None:
    judge = Judge(HealthTable(hold_s=15, release_s=60))
    sick = replace(GOOD, errors=20, cpu_ratio=0.99)
    assert judge.judge(sick, 0).health.verdict == "ok"
    judged = judge.judge(sick, 15)
    assert judged.health == Health(
        verdict="degraded",
        reasons=["20 of the last 1000 requests failed on our side, limit 1.00%", "CPU 99% busy, limit 95%"],
        weight=0.5,
    )
    assert judged.kinds == {"errors", "cpu"}
    half = judge.judge(replace(GOOD, cpu_ratio=0.9), 16).health
    assert [reason.split(" (")[0] for reason in half.reasons] == [
        "20 of the last 1000 requests failed on our side, limit 1.00%",
        "CPU 99% busy, limit 95%",
    ]
    assert judge.judge(replace(GOOD, cpu_ratio=0.9), 76).health.weight == 1.0
    assert judge.judge(GOOD, 100).health.verdict == "degraded"
    assert judge.judge(GOOD, 160).health.verdict == "ok"


def test_health_names_gravest_reason_first() -> None:
    judge = Judge(HealthTable(hold_s=0))
    health = judge.judge(replace(GOOD, memory_available_ratio=0.0, links=(DARK,)), 0).health
    assert health.reasons[0] == "no link of a delivery address is up"


def test_health_forgets_what_was_amiss_long_ago() -> None:
    judge = Judge(HealthTable(fault_release_s=0))
    judge.judge(replace(GOOD, links=(DARK,)), 0)
    judge.judge(GOOD, 1)
    assert judge._dampers
    judge.judge(GOOD, 90_000)
    assert not judge._dampers
    assert not judge._last


def test_health_goes_by_limits_that_are_replaced() -> None:
    judge = Judge(HealthTable(hold_s=0))
    busy = replace(GOOD, cpu_ratio=0.9)
    assert judge.judge(busy, 0).health.verdict == "ok"
    judge.limits = HealthTable(hold_s=0, cpu_ratio_enter=0.8, cpu_ratio_leave=0.7)
    assert judge.judge(busy, 1).health.reasons == ["CPU 90% busy, limit 80%"]


@given(st.integers(0, 120), st.text(max_size=600))
def test_health_bounds_reasons(count: int, why: str) -> None:
    workers = [WorkerReading(number, ready=False, why=why) for number in range(count)]
    health = Judge(HealthTable()).judge(replace(GOOD, workers=workers), 0).health
    assert health.verdict == "failed"
    assert len(health.reasons) <= REASONS_MAX
    assert all(len(reason) <= REASON_CHARACTERS_MAX for reason in health.reasons)
    if count >= REASONS_MAX:
        assert health.reasons[-1] == f"and {count + 1 - REASONS_MAX + 1} more"


def test_health_is_explained_without_changing_its_verdict() -> None:
    health = Health(verdict="degraded", reasons=["hot"] * REASONS_MAX, weight=0.5)
    told = explained(health, "drained")
    assert (told.verdict, told.weight, told.reasons[0], len(told.reasons)) == ("degraded", 0.5, "drained", REASONS_MAX)
