from __future__ import annotations

from typing import Literal

from msgspec.structs import replace

from steering.state.entries import Entry
from steering.state.turns import Turns


def entry(kind: Literal["begin", "commit", "end"], turn: str = "a.1") -> Entry:
    return Entry(kind=kind, turn=turn, writer=turn.partition(".")[0], after=0, lease_s=5.0 if kind == "begin" else 0.0)


def test_turn_lasts_until_its_commit() -> None:
    turns = Turns()
    turns.seen(1, entry("begin"), 100.0)
    assert (turns.number, turns.wait_s(101.0), turns.holder(), turns.is_open("a.1")) == (1, 4.0, "a", True)
    turns.seen(2, entry("commit"), 101.0)
    assert (turns.number, turns.wait_s(101.0), turns.holder(), turns.is_open("a.1")) == (2, 0.0, "", False)
    assert turns.is_committed("a.1")


def test_turn_ends_without_commit_by_its_own_word_or_by_silence() -> None:
    turns = Turns()
    turns.seen(1, entry("begin"), 100.0)
    assert turns.wait_s(105.0) == 0.0
    turns.seen(2, entry("begin"), 103.0)
    assert turns.wait_s(105.0) == 3.0
    turns.seen(3, entry("end"), 105.0)
    assert turns.wait_s(105.0) == 0.0
    assert not turns.is_committed("a.1")


def test_turn_that_was_taken_over_is_not_open_any_more() -> None:
    turns = Turns()
    turns.seen(1, entry("begin"), 100.0)
    turns.seen(2, entry("begin", "b.1"), 106.0)
    assert (turns.is_open("a.1"), turns.is_open("b.1")) == (False, True)
    turns.restart(9)
    assert (turns.number, turns.is_open("b.1"), turns.holder()) == (9, False, "")


def test_entry_holds_only_behind_the_last_one_that_holds() -> None:
    turns = Turns()
    turns.seen(6, entry("begin"), 100.0)
    assert turns.judge(replace(entry("commit"), after=6)) == "holds"
    assert turns.judge(replace(entry("begin", "b.1"), after=5)) == "void"
    assert turns.judge(replace(entry("commit", "b.1"), after=6)) == "void"
    assert turns.judge(replace(entry("begin", "b.1"), after=6)) == "holds"
    assert turns.judge(replace(entry("begin", "b.1"), after=8)) == "gap"
    ahead = turns.ahead()
    ahead.seen(7, replace(entry("commit"), after=6), 0.0)
    assert (turns.number, turns.is_open("a.1"), turns.is_committed("a.1")) == (6, True, False)
