from __future__ import annotations

import pytest

from oca.common.new_key import new_secret
from steering.state.embedded import EmbeddedState
from steering.trust.identities import (
    KEYS_MAX,
    RENEWAL_OVERLAP_S,
    Record,
    forget,
    open_token,
    record_of,
    records,
    redeem,
    renewed,
    revoke,
    token_of,
)

HOUR_NS = 3600 * 10**9


def issue(state: EmbeddedState, appliance: str = "fra1-a", *, now_ns: int = 0) -> str:
    with state.write() as transaction:
        return open_token(transaction, appliance, new_secret(), now_ns=now_ns, ttl_s=3600)


def use(state: EmbeddedState, token: str, keyid: str, *, appliance: str = "fra1-a", now_ns: int = 1) -> object:
    with state.write() as transaction:
        outcome = redeem(transaction, appliance, token, keyid=keyid, x=keyid, now_ns=now_ns)
    return outcome.keys[-1].keyid if isinstance(outcome, Record) else outcome


def present(state: EmbeddedState, appliance: str = "fra1-a") -> Record:
    record = record_of(state, appliance)
    assert record is not None
    return record


def test_token_is_kept_as_its_digest_alone(state: EmbeddedState) -> None:
    token = issue(state)
    secret = token.partition(".")[2].encode()
    assert len(secret) == 43
    assert all(secret not in raw and token.encode() not in raw for _, raw in state.scan(""))


def test_token_is_good_once_and_for_its_key_again(state: EmbeddedState) -> None:
    token = issue(state)
    assert use(state, token, "one") == "one"
    assert use(state, token, "one") == "one"
    assert use(state, token, "two") == "used-token"
    assert [key.keyid for key in present(state).keys] == ["one"]


def test_token_ends_and_is_of_one_appliance(state: EmbeddedState) -> None:
    token = issue(state)
    assert use(state, token, "one", now_ns=HOUR_NS) == "ended-token"
    assert use(state, token, "one", appliance="fra1-b") == "unknown-token"
    assert use(state, token[:-1] + "!", "one") == "unknown-token"
    assert use(state, token, "one", now_ns=HOUR_NS - 1) == "one"


def test_token_ends_the_one_before_it(state: EmbeddedState) -> None:
    first, second = issue(state), issue(state)
    assert use(state, first, "one") == "unknown-token"
    assert use(state, second, "one") == "one"


def test_token_used_before_a_revocation_brings_nothing_back(state: EmbeddedState) -> None:
    token = issue(state)
    use(state, token, "one")
    with state.write() as transaction:
        assert revoke(transaction, "fra1-a", now_ns=5)
        assert not revoke(transaction, "fra1-a", now_ns=6)
    assert present(state).revoked_at_ns == 5
    assert use(state, token, "one") == "unknown-token"
    assert use(state, issue(state), "two") == "two"
    assert present(state).revoked_at_ns == 0


def test_revocation_shuts_out_who_never_enrolled(state: EmbeddedState) -> None:
    with state.write() as transaction:
        assert revoke(transaction, "fra1-a", now_ns=5)
    assert present(state) == Record(appliance="fra1-a", keys=[], revoked_at_ns=5)


def test_renewal_leaves_old_key_an_hour(state: EmbeddedState) -> None:
    use(state, issue(state), "one")
    with state.write() as transaction:
        after = renewed(transaction, present(state), keyid="two", x="two", now_ns=HOUR_NS)
        assert renewed(transaction, after, keyid="two", x="two", now_ns=2 * HOUR_NS) is after
    end_ns = HOUR_NS + RENEWAL_OVERLAP_S * 10**9
    assert present(state).key("one", now_ns=end_ns - 1) is not None
    assert present(state).key("one", now_ns=end_ns) is None
    assert present(state).key("two", now_ns=100 * HOUR_NS) is not None
    assert present(state).key("three", now_ns=0) is None


def test_renewal_keeps_few_keys(state: EmbeddedState) -> None:
    use(state, issue(state), "k")
    with state.write() as transaction:
        for number in range(20):
            renewed(transaction, present(transaction), keyid=f"k{number}", x="x", now_ns=1)  # type: ignore[arg-type]
    assert [key.keyid for key in present(state).keys] == [f"k{number}" for number in range(20 - KEYS_MAX, 20)]


def test_identities_are_listed_and_forgotten(state: EmbeddedState) -> None:
    for name in ("fra1-b", "fra1-a"):
        use(state, issue(state, name), "one", appliance=name)
    assert [record.appliance for record in records(state)] == ["fra1-a", "fra1-b"]
    with state.write() as transaction:
        assert forget(transaction, "fra1-a")
        assert not forget(transaction, "fra1-a")
    assert (record_of(state, "fra1-a"), token_of(state, "fra1-a")) == (None, None)


@pytest.mark.parametrize("appliance", ["", "x" * 600])
def test_identity_of_no_name_is_none(state: EmbeddedState, appliance: str) -> None:
    assert record_of(state, appliance) is None
