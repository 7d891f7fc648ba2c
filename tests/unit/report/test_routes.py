from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from oca.common.routes import BATCH_ROUTES_MAX, NOTHING, PathAttributes
from oca.network.bird_output import HeardRoute, RouteTable
from oca.report.routes import RouteLedger, changes_between
from steering.routes.reach import Reach
from steering.settings import RoutesTable
from tests.unit.steering.made_up import make_site
from tests.unit.steering.routes_made_up import take

ONE, TWO = HeardRoute("isp", PathAttributes(as_path="64500")), HeardRoute("isp", PathAttributes(as_path="64500 64501"))


def make_reach() -> Reach:
    return Reach([make_site("fra1", appliances=("fra1-a",))], RoutesTable())


def table_of(reach: Reach) -> dict[str, PathAttributes | None]:
    """What steering knows of the box, absurd routes too."""
    aside = {str(prefix): attributes for prefix, (attributes, _) in reach.heard["fra1-a"].set_aside.items()}
    return aside | {str(prefix): claims.members[0].attributes for prefix, claims in reach.claims.items()}


def told(ledger: RouteLedger) -> str | None:
    return ledger.digest


def tell(ledger: RouteLedger, reach: Reach) -> int:
    """Send all there is to tell; how many batches that took."""
    sent = 0
    while (batch := ledger.batch()) is not None:
        sent += 1
        assert sent < 50
        if take(reach, "fra1-a", batch):
            ledger.restart()
        else:
            ledger.acknowledge(batch)
    return sent


def test_ledger_tells_changes_in_one_batch() -> None:
    ledger, reach = RouteLedger("e" * 32), make_reach()
    assert not ledger.begun
    table: RouteTable = {"45.1.0.0/16": ONE, "45.2.0.0/16": TWO}
    ledger.take(table, changes_between({}, table))
    assert ledger.pending == 2
    assert told(ledger) == NOTHING
    batch = ledger.batch()
    assert batch is not None
    assert ledger.batch() is batch
    assert told(ledger) is None  # on its way: neither the one nor the other is sure
    assert (batch.sequence, batch.before, batch.full) == (1, NOTHING, False)
    assert tell(ledger, reach) == 1
    assert ledger.digest == reach.heard["fra1-a"].digest_hex
    after: RouteTable = {"45.2.0.0/16": ONE, "45.3.0.0/16": ONE}
    ledger.take(after, changes_between(table, after))
    batch = ledger.batch()
    assert batch is not None
    assert [(group.attributes, sorted(group.prefixes)) for group in batch.announced] == [
        (ONE.attributes, ["45.2.0.0/16", "45.3.0.0/16"])
    ]
    assert batch.withdrawn == ["45.1.0.0/16"]


def test_changes_are_what_differs() -> None:
    assert changes_between({"a": ONE, "b": ONE}, {"a": ONE, "b": TWO}) == {"b": ONE}
    assert changes_between({"a": ONE}, {"a": ONE, "b": TWO}) == {"b": None}
    assert changes_between({"a": ONE, "b": TWO}, {"a": ONE, "c": TWO}) == {"c": None, "b": TWO}
    assert changes_between({"a": ONE}, {}) == {"a": ONE}


def test_ledger_forgets_change_that_was_taken_back() -> None:
    ledger = RouteLedger("e" * 32)
    ledger.take({"45.1.0.0/16": ONE}, {"45.1.0.0/16": None})
    ledger.take({}, {"45.1.0.0/16": ONE})
    assert ledger.batch() is None


def test_ledger_tells_large_table_in_batches() -> None:
    ledger, reach = RouteLedger("e" * 32), make_reach()
    table = {
        f"45.{number >> 8 & 255}.{number & 255}.{number >> 16 << 7}/25": ONE
        for number in range(2 * BATCH_ROUTES_MAX + 1)
    }
    ledger.take(table, dict.fromkeys(table))
    assert tell(ledger, reach) == 3
    ledger.restart()
    assert tell(ledger, reach) == 3
    assert len(table_of(reach)) == len(table)
    assert ledger.digest == reach.heard["fra1-a"].digest_hex


def test_ledger_tells_everything_to_steering_that_forgot() -> None:
    ledger, reach = RouteLedger("e" * 32), make_reach()
    ledger.restart()
    assert ledger.batch() is None  # nothing is known yet
    ledger.take({"45.1.0.0/16": ONE}, {"45.1.0.0/16": None})
    tell(ledger, reach)
    forgetful = make_reach()
    ledger.take({"45.1.0.0/16": ONE, "45.2.0.0/16": ONE}, {"45.2.0.0/16": None})
    assert tell(ledger, forgetful) == 2
    assert table_of(forgetful) == {"45.1.0.0/16": ONE.attributes, "45.2.0.0/16": ONE.attributes}
    ledger.take({}, {"45.1.0.0/16": ONE, "45.2.0.0/16": ONE})
    ledger.restart()
    assert tell(ledger, forgetful) == 1
    assert table_of(forgetful) == {}


def test_ledger_minds_acknowledgement_of_batch_in_flight_alone() -> None:
    ledger = RouteLedger("e" * 32)
    ledger.take({"45.1.0.0/16": ONE}, {"45.1.0.0/16": None})
    old = ledger.batch()
    assert old is not None
    ledger.restart()
    ledger.acknowledge(old)
    new = ledger.batch()
    assert new is not None
    assert (new.begins, new.ends, new.sequence) == (True, True, 2)


PREFIXES = st.sampled_from(["45.1.0.0/16", "45.1.2.0/24", "10.0.0.0/8", "2a00::/32", "0.0.0.0/0"])
TABLES = st.dictionaries(PREFIXES, st.sampled_from([ONE, TWO]))
EVENTS = st.lists(
    st.tuples(TABLES, st.sampled_from(["told", "lost", "unacknowledged", "wait", "forgotten"])), max_size=12
)


@given(EVENTS)
def test_ledger_and_steering_agree_whatever_is_lost(events: list[tuple[RouteTable, str]]) -> None:
    ledger, reach = RouteLedger("e" * 32), make_reach()
    heard: RouteTable = {}
    for table, fate in events:
        batch = ledger.batch()
        ledger.take(table, changes_between(heard, table))
        heard = table
        if fate == "forgotten":
            reach = make_reach()
        if batch is not None and fate in ("told", "unacknowledged"):
            fault = take(reach, "fra1-a", batch)
            if fault:
                ledger.restart()
            elif fate == "told":
                ledger.acknowledge(batch)
    tell(ledger, reach)
    if ledger.digest is not None and reach.full_wanted("fra1-a", ledger.digest):
        ledger.restart()
        tell(ledger, reach)
    assert table_of(reach) == {prefix: route.attributes for prefix, route in heard.items()}
