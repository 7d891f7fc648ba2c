"""The board of last words; what every engine's ``Peers`` promises is in test_peers_contract.py."""

from __future__ import annotations

from collections.abc import Callable

from steering.state.peers import Alone, Board, Told, Topic, Word


class FakePeers(Alone):
    """Remembers what was told, and says what a test has others say."""

    def __init__(self) -> None:
        super().__init__("a")
        self.told: list[tuple[Topic, bytes]] = []
        self.takers: dict[Topic, Callable[[Told], None]] = {}

    def tell(self, topic: Topic, body: bytes, *, about: str = "") -> None:
        self.told.append((topic, body))

    def listen(self, topic: Topic, take: Callable[[Told], None]) -> None:
        self.takers[topic] = take


def test_board_keeps_last_word_of_each_instance() -> None:
    peers, now_s = FakePeers(), [100.0]
    board = Board(peers, "verdicts", lambda: now_s[0])
    board.pin(b"mine")
    peers.takers["verdicts"](Told("b", b"first", 0.0))
    peers.takers["verdicts"](Told("b", b"second", 1.5))
    now_s[0] = 101.0
    assert peers.told == [("verdicts", b"mine")]
    assert board.words(age_s_max=10) == {"a": Word(b"mine", 1.0), "b": Word(b"second", 2.5)}


def test_board_forgets_instance_that_says_nothing_any_more() -> None:
    peers, now_s = FakePeers(), [0.0]
    board = Board(peers, "presence", lambda: now_s[0])
    peers.takers["presence"](Told("b", b"", 0.0))
    now_s[0] = 5.0
    assert set(board.words(age_s_max=5)) == {"b"}
    now_s[0] = 5.1
    assert board.words(age_s_max=5) == {}
    assert board.words(age_s_max=100) == {}


def test_instance_alone_has_no_others() -> None:
    alone = Alone()
    board = Board(alone, "verdicts", lambda: 1.0)
    board.pin(b"mine")
    assert board.words(age_s_max=1) == {"here": Word(b"mine", 0.0)}
    alone.begin()
    assert alone.link().connected
