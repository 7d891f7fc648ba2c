from hypothesis import given
from hypothesis import strategies as st

from oca.common.jwk import Jwk
from steering.key_schedule import HANDOVER_S, Schedule, StoredKey, keys_most, schedule, signers

KEY_S, TOKEN_S = 1000.0, 300.0


def key(kid: str, at_s: float, alg: str = "HS256") -> StoredKey:
    return StoredKey(jwk=Jwk(kty="oct", kid=kid, alg=alg), made_at_s=at_s)  # type: ignore[arg-type]


def plan(*keys: StoredKey, now_s: float) -> Schedule:
    return schedule(keys, now_s=now_s, algorithm="HS256", key_lifetime_s=KEY_S, token_lifetime_s=TOKEN_S)


def kids(keys: object) -> list[str]:
    return [each.jwk.kid for each in keys]  # type: ignore[attr-defined]


def test_schedule_wants_first_key_and_next_one_when_time_has_come() -> None:
    assert plan(now_s=0).due
    assert not plan(key("a", 0), now_s=KEY_S - 1).due
    assert plan(key("a", 0), now_s=KEY_S).due
    assert plan(key("a", 0, "ES256"), now_s=1).due


def test_schedule_wants_key_that_encrypts_networks_where_tokens_bind_clients() -> None:
    bare = key("a", 0)
    able = StoredKey(jwk=bare.jwk, made_at_s=0, client=Jwk(kty="oct", kid="e", alg="A128GCM"))
    for keys, due in (((), True), ((bare,), True), ((able,), False), ((able, bare), True)):
        found = schedule(
            keys, now_s=1, algorithm="HS256", key_lifetime_s=KEY_S, token_lifetime_s=TOKEN_S, binds_clients=True
        )
        assert found.due is due


def test_schedule_wants_key_where_clock_was_ahead() -> None:
    assert plan(key("a", 5000), now_s=0).due


def test_schedule_keeps_key_until_its_last_token_has_ended() -> None:
    keys = (key("a", 0), key("b", KEY_S))
    ends_s = KEY_S + HANDOVER_S + TOKEN_S
    assert kids(plan(*keys, now_s=ends_s - 1).kept) == ["a", "b"]
    assert kids(plan(*keys, now_s=ends_s).kept) == ["b"]


def test_schedule_keeps_newest_key_however_old() -> None:
    assert kids(plan(key("a", 0), now_s=1e9).kept) == ["a"]


@given(st.integers(50, 3000), st.integers(0, 3000), st.booleans())
def test_schedule_has_as_many_keys_good_as_told_and_never_more(key_s: int, token_s: int, binds_clients: bool) -> None:
    keys: tuple[StoredKey, ...] = ()
    good = 0
    for step in range(2 + (3 * HANDOVER_S + token_s).__ceil__() // key_s):
        at_s = float(step * key_s)
        found = schedule(keys, now_s=at_s, algorithm="HS256", key_lifetime_s=key_s, token_lifetime_s=token_s)
        assert found.due
        keys = (*found.kept, key(str(step), at_s))
        good = max(good, len(keys))
    most = keys_most(key_lifetime_s=key_s, token_lifetime_s=token_s, binds_clients=binds_clients)
    assert most == good * (1 + binds_clients)


def test_signers_prefer_newest_and_leave_older_one_after_handover() -> None:
    keys = (key("a", 0), key("b", 100))
    assert kids(signers(keys, now_s=100)) == ["b", "a"]
    assert kids(signers(keys, now_s=100 + HANDOVER_S)) == ["b"]
    assert signers((), now_s=0) == []


@given(st.lists(st.floats(0, 1e5), min_size=1, max_size=6), st.floats(0, 2e5), st.floats(0, TOKEN_S))
def test_schedule_keeps_whatever_a_signer_signed_until_it_ends(made: list[float], at_s: float, later_s: float) -> None:
    keys = [key(str(number), each) for number, each in enumerate(sorted(made))]
    present = plan(*[each for each in keys if each.made_at_s <= at_s], now_s=at_s).kept
    for signer in signers(present, now_s=at_s):
        assert signer in plan(*present, now_s=min(at_s + later_s, at_s + TOKEN_S * 0.999)).kept
