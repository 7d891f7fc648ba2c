from hypothesis import given
from hypothesis import strategies as st

from oca.common.digest import DIGEST_BYTES, digest_bytes, digest_hex, hasher, rendezvous_score, revision_of


@given(st.lists(st.binary(max_size=64)))
def test_hasher_agrees_with_digest_of_whole(parts: list[bytes]) -> None:
    state = hasher()
    for part in parts:
        state.update(memoryview(part))
    whole = b"".join(parts)
    assert state.digest() == digest_bytes(whole)
    assert state.hexdigest() == digest_hex(whole)
    assert len(state.digest()) == DIGEST_BYTES


def test_digest_equals_published_value_of_empty_input() -> None:
    assert digest_hex(b"") == "99aa06d3014798d86001c324468d497f"  # XXH3_128bits of nothing, seed 0


def test_revision_ignores_order_of_objects() -> None:
    pairs = [("/a", "1" * 32), ("/b", "2" * 32)]
    assert revision_of(pairs) == revision_of(pairs[::-1])


def test_revision_changes_with_path_and_digest() -> None:
    plain = revision_of([("/a", "1" * 32)])
    assert plain != revision_of([("/b", "1" * 32)])
    assert plain != revision_of([("/a", "2" * 32)])


def test_rendezvous_score_spreads_keys_over_members() -> None:
    members = ("a", "b", "c")
    won = [max(members, key=lambda member: rendezvous_score(f"key{number}", member)) for number in range(900)]
    assert all(200 < won.count(member) < 400 for member in members)
