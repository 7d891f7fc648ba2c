from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from steering.trust.replay import Replays


def test_replay_is_known_for_a_span() -> None:
    replays = Replays(10)
    assert replays.take("a", "1f", now_s=100) == "fresh"
    assert replays.take("a", "1f", now_s=100) == "replayed"
    assert replays.take("b", "1f", now_s=100) == "fresh"
    assert replays.take("a", "1f", now_s=109.9) == "replayed"


def test_replay_memory_is_bounded_by_key() -> None:
    replays = Replays(10, nonces_max=3)
    assert [replays.take("a", f"{n:x}", now_s=50) for n in range(5)] == ["fresh"] * 3 + ["too-many"] * 2
    assert replays.take("b", "0", now_s=50) == "fresh"
    assert replays.take("a", "4", now_s=60) == "fresh"


def test_replay_memory_ends_after_two_spans() -> None:
    replays = Replays(10)
    replays.take("a", "1", now_s=0)
    replays.take("a", "2", now_s=100)
    assert (replays._before, replays._now) == ({}, {"a": {2}})


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 5), st.floats(0, 7)), max_size=60))
def test_replay_within_a_span_is_always_known(requests: list[tuple[str, int, float]]) -> None:
    replays, seen, now_s = Replays(10), dict[tuple[str, int], float](), 0.0
    for keyid, nonce, wait_s in requests:
        now_s += wait_s
        outcome = replays.take(keyid, f"{nonce:x}", now_s=now_s)
        last_s = seen.get((keyid, nonce))
        if last_s is not None and now_s - last_s < 10:
            assert outcome == "replayed"
        if outcome == "fresh":
            seen[keyid, nonce] = now_s
