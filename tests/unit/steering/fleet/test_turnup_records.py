from __future__ import annotations

from steering.fleet.turnup_records import Passed, begin, begin_anew, has_begun, keep_passed, read_passed, served_before
from steering.state.embedded import EmbeddedState


def test_records_begin_with_those_that_served_before(state: EmbeddedState) -> None:
    assert not has_begun(state)
    with state.write() as transaction:
        transaction.put("capacity/old-a", b"1")
    assert served_before(state) == {"old-a"}
    with state.write() as transaction:
        begin(transaction, {"old-a"}, now_ns=7)
        begin(transaction, {"old-a", "new-a"}, now_ns=8)
    assert has_begun(state)
    assert served_before(state) == set()
    assert read_passed(state) == {"old-a": Passed(at_ns=7, who="it served before there were checks")}


def test_records_are_kept_and_begun_anew(state: EmbeddedState) -> None:
    with state.write() as transaction:
        keep_passed(transaction, "a", Passed(at_ns=1, who="ada accepted it"))
        assert begin_anew(transaction, "a")
        assert not begin_anew(transaction, "b")
    assert read_passed(state) == {}
