from collections.abc import Callable

from oca.common.messages import Health
from oca.report.health import REASONS_MAX
from oca.report.snapshot import Snapshot


def test_snapshot_tells_reason_before_those_of_its_health(make_snapshot: Callable[..., Snapshot]) -> None:
    snapshot = make_snapshot(health=Health(verdict="degraded", reasons=["hot"]))
    assert snapshot.explained("drained").health == Health(verdict="degraded", reasons=["drained", "hot"])
    assert snapshot.explained("") is snapshot


def test_snapshot_never_has_more_reasons_than_a_report_may(make_snapshot: Callable[..., Snapshot]) -> None:
    snapshot = make_snapshot(health=Health(verdict="degraded", reasons=["hot"] * REASONS_MAX))
    assert len(snapshot.explained("drained").health.reasons) == REASONS_MAX
