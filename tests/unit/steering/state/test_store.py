"""What ``StateStore`` promises, held against every engine behind it: one suite, whatever keeps the state."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from steering.state.store import StateStore
from tests.unit.steering.state.conftest import Opener

KEYS = st.sampled_from(["a", "a/", "a/1", "a/10", "a/2", "a0", "b/1", "ä/1", "z" * 200])
VALUES = st.binary(max_size=50)


@pytest.fixture
def store(opener: Opener, tmp_path: Path) -> Iterator[StateStore]:
    opened = opener(tmp_path)
    yield opened
    opened.close()


def test_store_gives_back_what_was_put(store: StateStore) -> None:
    with store.write() as transaction:
        transaction.put("a/1", b"one")
        transaction.put("a/2", b"")
    assert (store.get("a/1"), store.get("a/2"), store.get("a/3")) == (b"one", b"", None)
    with store.write() as transaction:
        transaction.put("a/1", b"other")
        transaction.delete("a/2")
        transaction.delete("never there")
    assert (store.get("a/1"), store.get("a/2")) == (b"other", None)


def test_store_scans_by_prefix_in_the_order_of_bytes(store: StateStore) -> None:
    with store.write() as transaction:
        for key in ("b/1", "a/2", "a/10", "a", "a0", "a/ä", "a/1"):
            transaction.put(key, key.encode())
    assert [key for key, _ in store.scan("a/")] == ["a/1", "a/10", "a/2", "a/ä"]
    assert list(store.scan("a/", start="a/10")) == [("a/10", b"a/10"), ("a/2", b"a/2"), ("a/ä", "a/ä".encode())]
    assert [key for key, _ in store.scan("a/", start="A")] == ["a/1", "a/10", "a/2", "a/ä"]
    assert list(store.scan("a/", start="b")) == list(store.scan("zzz")) == []


def test_transaction_sees_its_own_writes_and_nobody_else_does(store: StateStore) -> None:
    with store.write() as transaction:
        transaction.put("a/1", b"old")
    seen: list[bytes | None] = []
    with store.write() as transaction:
        transaction.put("a/1", b"new")
        transaction.put("a/2", b"new")
        assert transaction.get("a/1") == b"new"
        assert [key for key, _ in transaction.scan("a/")] == ["a/1", "a/2"]
        reader = threading.Thread(target=lambda: seen.extend((store.get("a/1"), store.get("a/2"))))
        reader.start()
        reader.join(10)
    assert seen == [b"old", None]
    assert store.get("a/1") == b"new"


def test_reading_sees_one_moment(store: StateStore) -> None:
    with store.write() as transaction:
        transaction.put("a/1", b"one")
    with store.reading() as moment:
        with store.write() as transaction:
            transaction.put("a/1", b"other")
            transaction.put("a/2", b"two")
        assert moment.get("a/1") == b"one"
        assert [*moment.scan("a/")] == [("a/1", b"one")]
    assert store.get("a/1") == b"other"


def test_transaction_that_raises_leaves_nothing(store: StateStore) -> None:
    before = store.version()

    def half_write() -> None:
        with store.write() as transaction:
            transaction.put("a", b"x")
            raise ArithmeticError

    with pytest.raises(ArithmeticError):
        half_write()
    assert (store.get("a"), store.version()) == (None, before)
    with store.write() as transaction:
        transaction.put("b", b"x")
    assert store.get("b") == b"x"


def test_version_moves_with_each_commit_alone(store: StateStore) -> None:
    versions = [store.version()]
    for number in range(3):
        with store.write() as transaction:
            transaction.put("a", str(number).encode())
        versions.append(store.version())
        assert store.get("a") is not None
        assert store.version() == versions[-1]
    assert len(set(versions)) == 4


def test_writers_wait_for_each_other(store: StateStore) -> None:
    """Read, add one, write: none is lost."""

    def count() -> None:
        for _ in range(20):
            with store.write() as transaction:
                transaction.put("count", str(int(transaction.get("count") or b"0") + 1).encode())

    writers = [threading.Thread(target=count) for _ in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    assert store.get("count") == b"80"


def test_store_has_all_that_was_committed_when_opened_again(opener: Opener, tmp_path: Path) -> None:
    first = opener(tmp_path)
    with first.write() as transaction:
        transaction.put("a", b"x" * 2**20)
    first.close()
    second = opener(tmp_path)
    assert second.get("a") == b"x" * 2**20
    assert second.free_readers() == 0
    second.close()


@pytest.mark.parametrize("key", ["", "k" * 512])
def test_store_has_no_value_for_impossible_keys(store: StateStore, key: str) -> None:
    assert store.get(key) is None


def test_store_is_a_dictionary_whatever_is_done_to_it(
    opener: Opener, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> None:
    class Machine(RuleBasedStateMachine):
        """Any order of commits, undone transactions and restarts, beside a plain dictionary."""

        @initialize()
        def begin(self) -> None:
            self.folder = tmp_path_factory.mktemp("store")
            self.store = opener(self.folder)
            self.wanted = dict(self.store.scan(""))

        @rule(puts=st.dictionaries(KEYS, VALUES, max_size=4), deletes=st.lists(KEYS, max_size=3))
        def commit(self, puts: dict[str, bytes], deletes: list[str]) -> None:
            with self.store.write() as transaction:
                for key, value in puts.items():
                    transaction.put(key, value)
                for key in deletes:
                    transaction.delete(key)
            self.wanted = {key: value for key, value in (self.wanted | puts).items() if key not in deletes}

        @rule(key=KEYS, value=VALUES)
        def undo(self, key: str, value: bytes) -> None:
            def half_write() -> None:
                with self.store.write() as transaction:
                    transaction.put(key, value)
                    transaction.delete("a")
                    raise KeyError

            with pytest.raises(KeyError):
                half_write()

        @precondition(lambda self: self.wanted)
        @rule()
        def restart(self) -> None:
            self.store.close()
            self.store = opener(self.folder)

        @rule(prefix=st.sampled_from(["", "a", "a/", "ä", "b/"]), start=st.sampled_from(["", "a/2", "b"]))
        def look(self, prefix: str, start: str) -> None:
            expected = sorted(
                (item for item in self.wanted.items() if item[0].startswith(prefix)), key=lambda item: item[0].encode()
            )
            expected = [item for item in expected if item[0].encode() >= start.encode()]
            assert list(self.store.scan(prefix, start=start)) == expected
            assert all(self.store.get(key) == value for key, value in self.wanted.items())

        def teardown(self) -> None:
            self.store.close()

    run_state_machine_as_test(
        Machine,
        settings=hypothesis_settings(
            max_examples=25 if "lmdb" in request.node.name else 6,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
