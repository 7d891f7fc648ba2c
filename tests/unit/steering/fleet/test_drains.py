from __future__ import annotations

import msgspec
import pytest

from steering.fleet.drains import Drain, DrainRequest, by_appliance, end, keep, over, read_drains, sentence
from steering.state.embedded import EmbeddedState

S = 10**9
SITE_OF = {"fra1-a": "fra1", "fra1-b": "fra1", "ber1-a": "ber1"}
SITE = Drain(scope="site", name="fra1", who="ada", at_ns=0, until_ns=7200 * S, reason="power works")
BOX = Drain(scope="appliance", name="fra1-b", who="ben", at_ns=60 * S)


def test_drains_tell_who_until_when_and_how_to_undo_it() -> None:
    assert sentence(SITE) == (
        "ada drained its site fra1 from steering at 1970-01-01 00:00:00Z until 1970-01-01 02:00:00Z: power works "
        "('oca-steering undrain --site fra1' takes it back)"
    )
    undo = "('oca-steering undrain --appliance fra1-b' takes it back)"
    assert sentence(BOX) == f"ben drained it from steering at 1970-01-01 00:01:00Z {undo}"


def test_drains_hold_for_box_and_site_until_their_time_is_over() -> None:
    strange = Drain(scope="appliance", name="gone-a", who="ben", at_ns=0)
    drains = [SITE, BOX, strange]
    assert by_appliance(drains, SITE_OF, 7199 * S) == {"fra1-a": sentence(SITE), "fra1-b": sentence(BOX)}
    assert over(drains, 7199 * S) == []
    assert by_appliance(drains, SITE_OF, 7200 * S) == {"fra1-b": sentence(BOX)}
    assert over(drains, 7200 * S) == [SITE]


def test_drains_are_kept_replaced_and_ended(state: EmbeddedState) -> None:
    with state.write() as transaction:
        keep(transaction, BOX)
        keep(transaction, SITE)
        keep(transaction, msgspec.structs.replace(BOX, reason="again"))
    assert [drain.reason for drain in read_drains(state)] == ["again", "power works"]
    with state.write() as transaction:
        assert end(transaction, "site", "fra1")
        assert not end(transaction, "site", "ber1")
    assert [drain.name for drain in read_drains(state)] == ["fra1-b"]


@pytest.mark.parametrize(
    "body",
    [
        {"scope": "rack", "name": "fra1"},
        {"scope": "site", "name": "FRA 1"},
        {"scope": "site", "name": "fra1", "for_s": -1},
        {"scope": "site", "name": "fra1", "for_s": 31 * 86400},
        {"scope": "site", "name": "fra1", "reason": "two\nlines"},
        {"scope": "site", "name": "fra1", "reason": "x" * 201},
    ],
)
def test_drains_refuse_strange_requests(body: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(body, DrainRequest)
