from __future__ import annotations

from collections.abc import Callable

import pytest

from steering.fleet.drains import Drain, end, keep
from steering.fleet.orders_changes import changes
from steering.fleet.turnup_records import Passed, begin, begin_anew, keep_passed
from steering.state.embedded import EmbeddedState
from steering.state.store import StateTransaction


@pytest.mark.parametrize(
    "change",
    [
        lambda transaction: keep(transaction, Drain(scope="site", name="fra1", who="ada", at_ns=2)),
        lambda transaction: end(transaction, "site", "ber1"),
        lambda transaction: keep_passed(transaction, "a", Passed(at_ns=1, who="ada accepted it")),
        lambda transaction: begin_anew(transaction, "old-a"),
        lambda transaction: begin(transaction, {"a"}, now_ns=2),
    ],
    ids=["drain", "undrain", "accept", "again", "begin"],
)
def test_changes_move_with_every_order(state: EmbeddedState, change: Callable[[StateTransaction], object]) -> None:
    with state.write() as transaction:
        keep(transaction, Drain(scope="site", name="ber1", who="ada", at_ns=1))
        keep_passed(transaction, "old-a", Passed(at_ns=1, who="ada accepted it"))
    before = changes(state)
    with state.write() as transaction:
        transaction.put("demand/x", b"1")
        end(transaction, "site", "unknown")
    assert changes(state) == before
    with state.write() as transaction:
        change(transaction)
    assert changes(state) > before
