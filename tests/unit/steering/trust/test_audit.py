from __future__ import annotations

import msgspec
import pytest

from steering.state.embedded import EmbeddedState
from steering.trust.audit import HEAD, PREFIX, TEXT_CHARACTERS_MAX, Actor, append, audited, fault_of, read_entries

ANNA = Actor("anna", "192.0.2.1")


def note(state: EmbeddedState, *words: str) -> None:
    for word in words:
        with audited(state, ANNA, "publish", word, now_ns=7) as transaction:
            transaction.put(f"thing/{word}", b"")


def whats(state: EmbeddedState, last: int = 100) -> list[str]:
    return [entry.what for entry in read_entries(state, last=last)]


def test_entries_are_kept_in_their_order(state: EmbeddedState) -> None:
    assert (read_entries(state, last=10), fault_of(state)) == ([], "")
    note(state, "a", "b", "c")
    assert whats(state) == ["a", "b", "c"]
    assert whats(state, 2) == ["b", "c"]
    entry = read_entries(state, last=1)[0]
    assert (entry.number, entry.at_ns, entry.who, entry.place, entry.action) == (3, 7, "anna", "192.0.2.1", "publish")
    assert fault_of(state) == ""


def test_entry_and_change_are_there_together_or_not_at_all(state: EmbeddedState) -> None:
    def fail() -> None:
        with audited(state, ANNA, "publish", "a", now_ns=1) as transaction:
            transaction.put("thing/a", b"")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert (whats(state), state.get("thing/a")) == ([], None)


def test_words_of_others_cannot_steer_a_terminal(state: EmbeddedState) -> None:
    with state.write() as transaction:
        append(transaction, Actor("eve\x1b[2J\n", "x" * 1000), "publish", "a\r\nb", now_ns=1)
    entry = read_entries(state, last=1)[0]
    assert (entry.who, len(entry.place), entry.what) == ("eve [2J ", TEXT_CHARACTERS_MAX, "a  b")


def key(number: int) -> str:
    return f"{PREFIX}{number:012d}"


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda t: t.delete(key(2)), "entry 2 is missing"),
        (lambda t: t.put(key(2), t.get(key(2)).replace(b"anna", b"otto")), "entry 2 was changed"),
        (lambda t: t.put(key(3), t.get(key(3)).replace(b"anna", b"otto")), "entries at its end were changed"),
        (lambda t: t.delete(key(3)), "entries at its end were changed or are missing"),
        (lambda t: t.put(key(1), b"{}"), "entry 000000000001 cannot be read"),
        (lambda t: t.put(key(2), t.get(key(1))), "entry 2 is missing"),
        (lambda t: t.delete(HEAD), "its head is missing"),
    ],
)
def test_log_that_was_tampered_with_is_told(state: EmbeddedState, spoil: object, says: str) -> None:
    note(state, "a", "b", "c")
    with state.write() as transaction:
        spoil(transaction)  # type: ignore[operator]
    assert says in fault_of(state)


def test_entries_are_plain_json(state: EmbeddedState) -> None:
    """An operator can take them elsewhere."""
    note(state, "a")
    raw = state.get(key(1))
    assert raw is not None
    assert msgspec.json.decode(raw)["what"] == "a"
