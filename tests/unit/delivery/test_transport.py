"""The transport against a socket and a sendfile that take what the test says."""

import errno
import os
import socket
from collections.abc import Callable
from typing import Any

import pytest

from oca.delivery.lane import Outcome, Refusal, Waiter
from oca.delivery.metrics import DELIVERY_SLOTS
from oca.delivery.readahead import SLICE_BYTES, Wait
from oca.delivery.transport import JOINED_BYTES_MAX, Transport
from oca.http1.multipart import Piece
from oca.http1.response import Reply
from oca.store.reader import OpenPack

Step = int | OSError
AGAIN = BlockingIOError(errno.EAGAIN, "again")


class ScriptedReads:
    """Finds in memory what lies outside ``cold``, and reads when the test says so."""

    def __init__(self, counts: list[int]) -> None:
        self.counts = counts
        self.epoch = 7
        self.cold = range(0)
        self.refusal: Refusal | None = None
        self.went: list[tuple[Any, ...]] = []
        self.waiting: list[Waiter] = []

    def at_hand(self, pack: OpenPack, offset: int, length: int) -> bool:
        self.went.append(("at_hand", offset, min(length, SLICE_BYTES)))
        return offset not in self.cold

    def epoch_for(self, pack: OpenPack) -> int:
        return self.epoch

    def fetch(
        self, pack: OpenPack, offset: int, length: int, done: Waiter, *, client: str | None = None
    ) -> Wait | Refusal:
        self.went.append(("fetch", offset, min(length, SLICE_BYTES), client))
        if self.refusal is not None:
            return self.refusal
        return ScriptedWait(self, done)

    def ahead(self, pack: OpenPack, offset: int, length: int) -> None:
        self.went.append(("ahead", offset, length))

    def end(self, outcome: Outcome) -> None:
        self.waiting.pop()(outcome)


class ScriptedWait(Wait):
    """A wait that ends when the test says so."""

    def __init__(self, reads: ScriptedReads, done: Waiter) -> None:
        super().__init__(reads.counts, done)  # type: ignore[arg-type]
        self.waiting, self.done = reads.waiting, done
        self.waiting.append(done)

    def cancel(self) -> None:
        self.waiting.remove(self.done)


class Rig:
    """A transport between a scripted kernel and a loop that the test turns by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, sends: list[Step], moves: list[Step]) -> None:
        self.sends, self.moves = sends, moves
        self.went: list[tuple[Any, ...]] = []
        self.writer: Callable[[], None] | None = None
        self.later: Callable[[], None] | None = None
        self.watches_left = 1000
        self.ended: list[str] = []
        self.counts = [0] * len(DELIVERY_SLOTS)
        self.pack = OpenPack(9, "a/v")
        self.reads = ScriptedReads(self.counts)
        monkeypatch.setattr(os, "sendfile", self.sendfile)
        self.transport = Transport(
            self,  # type: ignore[arg-type]
            self,  # type: ignore[arg-type]
            self.counts,  # type: ignore[arg-type]
            self.reads,  # type: ignore[arg-type]
            client="192.0.2.7",
            sent=lambda: self.ended.append("sent"),
            failed=self.failed,
        )

    def failed(self, cause: str, pack: OpenPack | None) -> None:
        assert pack in (None, self.pack)
        self.ended.append(cause)

    def fileno(self) -> int:
        return 5

    def send(self, data: bytes, flags: int = 0) -> int:
        step = self.sends.pop(0)
        if isinstance(step, OSError):
            raise step
        self.went.append(("send", data[:step], flags))
        return min(step, len(data))

    def sendfile(self, out: int, descriptor: int, offset: int, length: int) -> int:
        assert (out, descriptor) == (5, 9)
        step = self.moves.pop(0)
        if isinstance(step, OSError):
            raise step
        self.went.append(("sendfile", offset, min(step, length)))
        return min(step, length)

    def add_writer(self, fileno: int, callback: Callable[[], None]) -> None:
        assert self.writer is None
        self.watches_left -= 1
        if self.watches_left < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.writer = callback

    def remove_writer(self, fileno: int) -> None:
        self.writer = None

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> "Rig":
        self.later = callback
        return self

    def cancel(self) -> None:
        self.later = None

    def turn(self) -> None:
        """The socket has become writable."""
        assert self.writer is not None
        self.writer()

    def count(self, key: str) -> int:
        return self.counts[DELIVERY_SLOTS[key]]

    def rests(self) -> bool:
        """Whether nothing is left behind: no watcher, no pin on the pack, no gauge."""
        return (
            self.writer is None
            and self.later is None
            and self.pack.sends == 0
            and self.count("delivery_sends") == 0
            and not self.transport.waiting
        )


def test_transport_joins_head_and_small_body(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(monkeypatch, [99], [10])
    assert rig.transport.send_file(b"head", rig.pack, 100, 10)
    assert rig.went == [("send", b"head", socket.MSG_MORE), ("sendfile", 100, 10)]
    assert rig.count("delivery_sendfile_calls") == 1
    assert rig.count("delivery_sendfile_bytes") == rig.count("delivery_sent_bytes") == 10
    assert rig.rests()


def test_transport_sends_small_body_in_one_call_with_its_head(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(monkeypatch, [99], [])
    assert rig.transport.send_file(b"head", rig.pack, 100, 4, b"body")
    assert rig.went == [("send", b"headbody", 0)]
    assert (rig.count("delivery_small_sent_bytes"), rig.count("delivery_sent_bytes")) == (4, 4)
    assert rig.count("delivery_sendfile_bytes") == 0
    assert rig.rests()


def test_transport_counts_no_small_body_of_a_client_that_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(monkeypatch, [BrokenPipeError(errno.EPIPE, "gone")], [])
    assert not rig.transport.send_file(b"head", rig.pack, 100, 4, b"body")
    assert rig.ended == ["client"]
    assert rig.count("delivery_small_sent_bytes") == rig.count("delivery_sent_bytes") == 0


def test_transport_goes_on_with_small_body_and_tells_what_was_left_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(monkeypatch, [6, AGAIN, 1], [])
    assert not rig.transport.send_file(b"head", rig.pack, 100, 4, b"body")
    rig.turn()
    rig.turn()
    assert rig.went == [("send", b"headbo", 0), ("send", b"d", 0)]
    rig.transport.stop()
    assert rig.transport.unsent_bytes == 1
    assert rig.rests()


def test_transport_sends_head_of_large_body_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(monkeypatch, [99], [JOINED_BYTES_MAX])
    assert rig.transport.send_file(b"head", rig.pack, 0, JOINED_BYTES_MAX)
    assert rig.went[0] == ("send", b"head", 0)


def test_transport_goes_on_where_short_sendfile_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(monkeypatch, [99], [4, AGAIN, 5, 1])
    assert not rig.transport.send_file(b"head", rig.pack, 100, 10)
    assert rig.pack.sends == rig.count("delivery_sends") == 1
    rig.turn()
    rig.turn()
    assert rig.ended == []
    rig.turn()
    assert rig.went[1:] == [("sendfile", 100, 4), ("sendfile", 104, 5), ("sendfile", 109, 1)]
    assert rig.ended == ["sent"]
    assert rig.count("delivery_sent_bytes") == 10
    assert rig.rests()


@pytest.mark.parametrize("first", [2, AGAIN, InterruptedError(errno.EINTR, "interrupted")])
def test_transport_goes_on_where_short_head_ended(monkeypatch: pytest.MonkeyPatch, first: Step) -> None:
    rig = Rig(monkeypatch, [first, 1, AGAIN, 99], [10])
    assert not rig.transport.send_file(b"head", rig.pack, 100, 10)
    assert bool(rig.transport.first_ns) == (first == 2)
    rig.turn()
    assert rig.transport.first_ns
    rig.turn()
    rig.turn()
    assert b"".join(step[1] for step in rig.went if step[0] == "send") == b"head"
    assert rig.went[-1] == ("sendfile", 100, 10)
    assert rig.ended == ["sent"]
    assert rig.rests()


def test_transport_sends_rest_of_text_when_socket_takes_more(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(monkeypatch, [2, 99], [])
    assert not rig.transport.send(b"head")
    rig.turn()
    assert [step[1] for step in rig.went] == [b"he", b"ad"]
    assert rig.ended == ["sent"]
    assert rig.rests()


def test_transport_yields_after_a_slice(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(monkeypatch, [99], [2**40, 2**40, 2**40])
    assert not rig.transport.send_file(b"head", rig.pack, 0, 2 * SLICE_BYTES + 1)
    rig.turn()
    rig.turn()
    assert [step[2] for step in rig.went[1:]] == [SLICE_BYTES, SLICE_BYTES, 1]
    assert rig.ended == ["sent"]


@pytest.mark.parametrize(
    ("error", "cause"),
    [(errno.EPIPE, "client"), (errno.ECONNRESET, "client"), (errno.ETIMEDOUT, "client"), (errno.EIO, "device")],
)
@pytest.mark.parametrize("after", [[], [3]])
def test_transport_tells_whose_doing_a_failure_is(
    monkeypatch: pytest.MonkeyPatch, error: int, cause: str, after: list[Step]
) -> None:
    rig = Rig(monkeypatch, [99], [*after, OSError(error, "x")])
    assert not rig.transport.send_file(b"head", rig.pack, 0, 10)
    if after:
        rig.turn()
    assert rig.ended == [cause]
    assert rig.rests()


@pytest.mark.parametrize("moves", [[0], [4, 0]])
def test_transport_fails_on_pack_shorter_than_promised(monkeypatch: pytest.MonkeyPatch, moves: list[Step]) -> None:
    rig = Rig(monkeypatch, [99], moves)
    assert not rig.transport.send_file(b"head", rig.pack, 0, 10)
    if rig.ended == []:
        rig.turn()
    assert rig.ended == ["pack"]
    assert not moves
    assert rig.rests()


@pytest.mark.parametrize("shortage", [errno.ENOBUFS, errno.ENOMEM])
def test_transport_rests_while_kernel_is_short_of_memory(monkeypatch: pytest.MonkeyPatch, shortage: int) -> None:
    rig = Rig(monkeypatch, [99], [OSError(shortage, "short"), OSError(shortage, "short"), 10])
    assert not rig.transport.send_file(b"head", rig.pack, 0, 10)
    for _ in range(2):
        assert rig.writer is None
        assert rig.later is not None
        resume, rig.later = rig.later, None
        resume()
        rig.turn()
    assert rig.ended == ["sent"]
    assert rig.rests()


def test_transport_rests_while_its_socket_cannot_be_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(monkeypatch, [99], [4, 6])
    rig.watches_left = 0
    assert not rig.transport.send_file(b"head", rig.pack, 0, 10)
    for rig.watches_left in (0, 1):
        assert rig.writer is None
        assert rig.later is not None
        resume, rig.later = rig.later, None
        resume()
    assert rig.count("delivery_memory_pauses") == 2
    rig.turn()
    assert rig.ended == ["sent"]
    assert rig.rests()


def test_transport_stops_amid_body_and_amid_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(monkeypatch, [99, 99], [4, OSError(errno.ENOBUFS, "short")])
    rig.transport.send_file(b"head", rig.pack, 0, 10)
    rig.transport.stop()
    assert rig.rests()
    rig.transport.send_file(b"head", rig.pack, 0, 10)
    rig.transport.stop()
    assert rig.rests()
    rig.transport.stop()
    assert rig.ended == []


def test_transport_fails_when_head_cannot_be_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(monkeypatch, [4, AGAIN, OSError(errno.EPIPE, "x")], [AGAIN])
    assert not rig.transport.send_file(b"head", rig.pack, 0, 10)
    rig.transport.stop()
    assert not rig.transport.send_file(b"head", rig.pack, 0, 10)
    rig.turn()
    assert rig.ended == ["client"]
    assert rig.rests()


PIECES = Reply(206, b"", length=15, pieces=(Piece(b"one", 100, 10), Piece(b"two", 300, 5), Piece(b"end")))


def test_transport_sends_pieces_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(monkeypatch, [99, 99, 99], [10, 5])
    assert rig.transport.send_parts(b"head ", rig.pack, 1000, PIECES)
    assert [step[:2] for step in rig.went] == [
        ("send", b"head one"),
        ("sendfile", 1100),
        ("send", b"two"),
        ("sendfile", 1300),
        ("send", b"end"),
    ]
    assert rig.rests()


@pytest.mark.parametrize(
    ("sends", "moves"),
    [
        ([1, 99, 99, 99], [10, 5]),
        ([99, 99, 99], [4, AGAIN, 6, 5]),
        ([99, AGAIN, 1, 1, 1, 99], [10, 2, 3]),
        ([99, 99, AGAIN, 2, 1], [AGAIN, 10, AGAIN, 5]),
    ],
)
def test_transport_goes_on_with_pieces_where_it_was_stopped(
    monkeypatch: pytest.MonkeyPatch, sends: list[Step], moves: list[Step]
) -> None:
    rig = Rig(monkeypatch, sends, moves)
    assert not rig.transport.send_parts(b"", rig.pack, 0, PIECES)
    while not rig.ended:
        rig.turn()
    assert rig.ended == ["sent"]
    sent = [step[1:] for step in rig.went]
    assert b"".join(step[0] for step in sent if isinstance(step[0], bytes)) == b"onetwoend"
    taken = [place for step in sent if isinstance(step[0], int) for place in range(step[0], sum(step))]
    assert taken == [*range(100, 110), *range(300, 305)]
    assert rig.sends == rig.moves == []
    assert rig.rests()


def test_transport_drops_pieces_that_follow_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(monkeypatch, [99], [OSError(errno.EIO, "I/O error")])
    assert not rig.transport.send_parts(b"", rig.pack, 0, PIECES)
    assert rig.ended == ["device"]
    assert rig.rests()
    rig.sends, rig.moves = [99], [4, 6]
    assert not rig.transport.send_file(b"head", rig.pack, 0, 10)
    rig.turn()
    assert rig.ended == ["device", "sent"]  # and nothing of the pieces


def test_transport_looks_for_what_goes_on_once_a_slice_and_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(monkeypatch, [99], [10, 10, 10, 10, 2**40])
    assert not rig.transport.send_file(b"head", rig.pack, 100, SLICE_BYTES)
    rig.turn()
    rig.turn()
    assert rig.reads.went == [("at_hand", 110, SLICE_BYTES - 10)]
    rig.reads.epoch += 1
    rig.turn()
    assert rig.reads.went[1:] == [("at_hand", 130, SLICE_BYTES - 30)]
    rig.turn()
    assert rig.ended == ["sent"]
    assert len(rig.reads.went) == 2


def test_transport_reads_next_slice_before_it_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(monkeypatch, [99], [10, 2**40, 2**40])
    rig.reads.cold = range(10, 11)
    assert not rig.transport.send_file(b"head", rig.pack, 0, 10 + SLICE_BYTES + 5)
    rig.turn()
    assert rig.writer is None
    assert rig.transport.waiting
    assert rig.pack.sends == 1
    rig.reads.end("ready")
    rig.turn()
    rig.turn()
    assert rig.reads.went == [
        ("at_hand", 10, SLICE_BYTES),
        ("fetch", 10, SLICE_BYTES, None),
        ("ahead", 10 + SLICE_BYTES, 5),
        ("at_hand", 10 + SLICE_BYTES, 5),
    ]
    assert [step[1:] for step in rig.went[1:]] == [(0, 10), (10, SLICE_BYTES), (10 + SLICE_BYTES, 5)]
    assert rig.ended == ["sent"]
    assert rig.rests()


@pytest.mark.parametrize(
    ("outcome", "cause"), [("failed", "device"), ("short", "pack"), ("slow", "hang"), ("sick", "hang")]
)
@pytest.mark.parametrize("at_once", [True, False])
def test_transport_fails_amid_body_that_cannot_be_read(
    monkeypatch: pytest.MonkeyPatch, outcome: Any, cause: str, at_once: bool
) -> None:
    rig = Rig(monkeypatch, [99], [10])
    rig.reads.cold = range(10, 11)
    assert not rig.transport.send_file(b"head", rig.pack, 0, 20)
    if at_once:
        rig.reads.refusal = outcome
    rig.turn()
    if not at_once:
        rig.reads.end(outcome)
    assert rig.ended == [cause]
    assert rig.rests()


def test_transport_counts_as_waiting_while_first_slice_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(monkeypatch, [99], [10])
    told: list[str] = []
    assert rig.transport.fetch(rig.pack, 0, 10, told.append) is None
    assert rig.transport.waiting
    assert rig.count("delivery_sends") == 0
    rig.reads.end("ready")
    assert told == ["ready"]
    assert rig.rests()
    rig.reads.refusal = "overloaded"
    assert rig.transport.fetch(rig.pack, 0, 10, told.append) == "overloaded"
    assert rig.rests()


@pytest.mark.parametrize("amid_body", [True, False])
def test_transport_stops_amid_read(monkeypatch: pytest.MonkeyPatch, amid_body: bool) -> None:
    rig = Rig(monkeypatch, [99], [10])
    if amid_body:
        rig.reads.cold = range(10, 11)
        rig.transport.send_file(b"head", rig.pack, 0, 20)
        rig.turn()
    else:
        rig.transport.fetch(rig.pack, 0, 10, rig.ended.append)
    assert rig.transport.fetching
    rig.transport.stop()
    assert rig.reads.waiting == []
    assert rig.ended == []
    assert rig.rests()
