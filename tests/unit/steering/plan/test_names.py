from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steering.plan.names import Numbers
from steering.plan.shelf import name_hash, shelve
from tests.unit.steering.made_up import make_summary, make_title

NAMES = st.lists(st.sampled_from([f"t{number}/a" for number in range(12)]), unique=True)


def placed(names: list[str], other: list[str]) -> list[int]:
    return [other.index(name) if name in other else -1 for name in names]


@given(NAMES, NAMES)
def test_names_are_found_in_another_list(names: list[str], other: list[str]) -> None:
    assert Numbers.of(names).places_in(Numbers.of(other)).tolist() == placed(names, other)
    assert Numbers.packed(Numbers.of(names).pack()).places_in(Numbers.of(other)).tolist() == placed(names, other)


@given(NAMES, NAMES)
def test_names_of_which_half_the_number_is_the_same_are_found_by_the_other_half(
    names: list[str], other: list[str]
) -> None:
    """By chance one pair among a million times a million names, in twenty million nights."""

    def digests(texts: list[str]) -> bytes:
        return b"".join(len(text).to_bytes(8) + text.encode().ljust(8) for text in texts)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("steering.plan.names.digests_of", digests)
        assert Numbers.of(names).places_in(Numbers.of(other)).tolist() == placed(names, other)


def test_first_half_of_a_number_is_the_hash_of_the_name() -> None:
    shelf = shelve([make_title("t", assets=[make_summary("t/ü"), make_summary("t/a")])])
    assert shelf.hashes.tolist() == [name_hash(name) for name in shelf.place]
    assert sorted(shelf.numbers.high.tolist()) == sorted(shelf.hashes.tolist())
    assert shelf.numbers.places_in(shelf.numbers).tolist() == [0, 1]
    assert len(shelf.without_names().numbers) == 0
