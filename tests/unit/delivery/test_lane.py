"""One device's reads, told when they end and what the time is."""

from oca.delivery.lane import AHEAD_MAX, HELD_FACTOR_MAX, PROBE_INTERVAL_S, Lane, Outcome, Read

Reading = Read[str]


class Rig:
    """A lane with two threads, and what its waiters were told."""

    def __init__(self, *, threads: int = 2, queue_max: int = 3) -> None:
        self.lane: Lane[str] = Lane(threads=threads, queue_max=queue_max, timeout_s=2.0)
        self.told: list[tuple[str, Outcome]] = []

    def sick(self) -> bool:
        return self.lane.sick

    def due(self) -> float | None:
        return self.lane.due_at_s

    def ask(
        self, name: str, now_s: float = 0, *, offset: int = 0, length: int = 10, client: str | None = "one"
    ) -> str | None:
        """Ask for ``name``; why not, if it is refused."""
        asked = self.lane.ask(
            name, offset, length, lambda outcome: self.told.append((name, outcome)), now_s, client=client
        )
        return None if isinstance(asked, Read) else asked

    def take(self, now_s: float = 0) -> Reading:
        read = self.lane.take(now_s)
        assert read is not None
        return read

    def end(self, read: Reading, now_s: float = 0, *, outcome: Outcome = "ready") -> None:
        self.lane.done(read, now_s, answered=outcome == "ready")
        read.settle(outcome)

    def expire(self, now_s: float) -> None:
        for read, refusal in list(self.lane.expire(now_s)):
            read.settle(refusal)


def test_lane_reads_in_order_as_many_at_a_time_as_it_has_threads() -> None:
    rig = Rig()
    for name in "abc":
        assert rig.ask(name) is None
    first, second = rig.take(), rig.take()
    assert (first.pack, second.pack) == ("a", "b")
    assert rig.lane.take(0) is None
    rig.end(second)
    assert rig.take().pack == "c"
    rig.end(first)
    assert rig.told == [("b", "ready"), ("a", "ready")]


def test_lane_reads_once_what_several_want() -> None:
    rig = Rig()
    rig.ask("a")
    assert not rig.lane.covers("a", 0, 10)
    read = rig.take()
    assert rig.lane.covers("a", 0, 10)
    assert not rig.lane.covers("a", 0, 11)
    assert not rig.lane.covers("a", 1, 10)
    rig.ask("a")
    rig.ask("a", length=5)
    assert rig.lane.take(0) is None
    rig.end(read)
    assert rig.told == [("a", "ready")] * 3
    assert not rig.lane.covers("a", 0, 10)


def test_lane_reads_longer_range_by_itself() -> None:
    rig = Rig()
    rig.ask("a", length=5)
    short = rig.take()
    rig.ask("a", length=10)
    assert rig.take().length == 10
    rig.end(short)
    assert rig.lane.covers("a", 0, 10)


def test_lane_refuses_beyond_its_queue_what_has_not_begun() -> None:
    rig = Rig(queue_max=1)
    assert rig.ask("a") is None
    assert rig.ask("b") == "overloaded"
    assert rig.ask("a") is None
    assert rig.ask("b", client=None) is None


def test_lane_full_of_one_client_gives_its_latest_place_to_another() -> None:
    rig = Rig()
    for name in "abc":
        rig.ask(name)
    assert rig.lane.give_way("one") is None
    gone = rig.lane.give_way("two")
    assert gone is not None
    assert gone.pack == "c"
    assert rig.ask("d", client="two") is None
    assert rig.lane.give_way("two") is None  # it has one, the other two
    assert [rig.take().pack for _ in range(2)] == ["a", "b"]


def test_lane_gives_no_place_away_that_more_than_one_client_wants() -> None:
    rig = Rig()
    for name in "abc":
        rig.ask(name)
        rig.ask(name, client="other")
    assert rig.lane.give_way("two") is None
    begun = Rig()
    for name in "abc":
        begun.ask(name, client=None)
    assert begun.lane.give_way("two") is None


def test_lane_leaves_what_nobody_waits_for() -> None:
    rig = Rig()
    gone = rig.lane.ask("a", 0, 10, lambda outcome: None, 0, client="one")
    assert isinstance(gone, Read)
    gone.waiters.clear()
    rig.ask("b")
    assert rig.take().pack == "b"
    assert not rig.lane.covers("a", 0, 10)


def test_lane_reads_ahead_only_while_a_thread_is_left_for_viewers() -> None:
    rig = Rig()
    rig.lane.ask_ahead("x", 0, 10, 0)
    rig.lane.ask_ahead("y", 0, 10, 0)
    rig.lane.ask_ahead("y", 0, 10, 0)
    rig.ask("a")
    assert rig.take().pack == "a"
    assert rig.lane.take(0) is None
    alone = Rig(threads=1)
    alone.lane.ask_ahead("x", 0, 10, 0)
    assert alone.take().pack == "x"


def test_lane_hurries_read_ahead_that_a_viewer_has_come_to() -> None:
    rig = Rig()
    rig.ask("a")
    rig.take()
    rig.lane.ask_ahead("x", 0, 10, 0)
    assert rig.ask("x", 1.5) is None
    read = rig.take(1.5)
    assert read.pack == "x"
    rig.end(read, 1.6)
    assert rig.told == [("x", "ready")]
    assert rig.lane.take(1.6) is None


def test_lane_forgets_oldest_reads_ahead() -> None:
    rig = Rig()
    for number in range(AHEAD_MAX + 1):
        rig.lane.ask_ahead(f"{number}", 0, 10, 0)
    assert rig.take().pack == "1"


def test_lane_is_due_when_the_first_wait_is_over() -> None:
    rig = Rig(threads=1)
    assert rig.due() is None
    rig.ask("a", 1.0)
    assert rig.due() == 3.0
    rig.take(1.5)
    assert rig.due() == 3.5
    rig.ask("b", 1.6)
    assert rig.due() == 3.5


def test_lane_calls_device_sick_that_ends_no_read_in_time() -> None:
    rig = Rig(threads=1)
    rig.ask("a")
    read = rig.take()
    rig.ask("b", 1.0)
    rig.lane.ask_ahead("x", 0, 10, 0)
    rig.expire(1.9)
    assert rig.told == []
    assert not rig.sick()
    rig.expire(2.0)
    assert rig.told == [("a", "sick"), ("b", "sick")]
    assert rig.lane.suspect == "a"
    assert rig.ask("c", 2.0) == "sick"
    rig.lane.ask_ahead("c", 0, 10, 2.0)
    assert rig.lane.take(2.0) is None
    assert rig.due() is None
    # Its late answer is an answer.
    rig.end(read, 9.0)
    assert not rig.sick()
    assert rig.ask("c", 9.0) is None
    assert rig.take(9.0).pack == "c"


def test_lane_calls_read_slow_while_others_end() -> None:
    rig = Rig()
    rig.ask("a")
    rig.ask("b")
    slow, quick = rig.take(), rig.take()
    rig.end(quick, 1.0)
    rig.expire(2.0)
    assert rig.told == [("b", "ready"), ("a", "slow")]
    assert not rig.sick()
    # Whoever asks for it again would only wait again; others do not miss its thread.
    assert rig.ask("a", 2.0) == "slow"
    rig.ask("c", 2.0)
    rig.ask("d", 2.0)
    assert [rig.take(2.0).pack, rig.take(2.0).pack] == ["c", "d"]
    rig.end(slow, 3.0)
    assert rig.ask("a", 3.0) is None


def test_lane_answers_in_time_what_no_thread_comes_to() -> None:
    rig = Rig(threads=1)
    rig.ask("a", 0)
    rig.ask("b", 0)
    rig.end(rig.take(0), 1.0)
    rig.ask("c", 1.0)
    rig.expire(2.0)
    assert rig.told == [("a", "ready"), ("b", "overloaded")]
    assert not rig.sick()
    assert rig.take(2.0).pack == "c"


def test_lane_holds_no_more_threads_however_many_hang() -> None:
    rig = Rig(threads=1, queue_max=100)
    now_s = 0.0
    for number in range(HELD_FACTOR_MAX):
        rig.ask(f"{number}", now_s)
        rig.take(now_s)
        now_s += 3.0
        rig.expire(now_s)
        assert rig.sick()
        probe = rig.lane.probe(10, now_s + PROBE_INTERVAL_S)
        assert probe is not None
        rig.end(probe, now_s + PROBE_INTERVAL_S)
        now_s += 2.0
    assert rig.sick()
    assert rig.lane.take(now_s) is None


def test_lane_tries_sick_device_by_one_probe_at_a_time() -> None:
    rig = Rig(threads=1)
    assert rig.lane.probe(4, 0) is None
    rig.ask("a")
    rig.take()
    rig.expire(2.0)
    assert rig.lane.probe(4, 2.0) is None
    probe = rig.lane.probe(4, 2.0 + PROBE_INTERVAL_S)
    assert probe is not None
    assert (probe.pack, probe.offset, probe.length) == ("a", 0, 4)
    assert rig.lane.probe(4, 9.0) is None
    rig.expire(9.0)
    assert rig.lane.probe(4, 10.0) is None
    # An error is no answer.
    rig.end(probe, 11.0, outcome="failed")
    assert rig.sick()
    probe = rig.lane.probe(4, 11.0)
    assert probe is not None
    rig.end(probe, 11.5)
    assert not rig.sick()
    assert rig.ask("b", 11.5) is None
    assert rig.take(11.5).pack == "b"


def test_lane_knows_how_much_of_read_ahead_is_needed_by_those_who_join_it() -> None:
    lane: Lane[str] = Lane(threads=2, queue_max=4, timeout_s=1.0)
    lane.ask_ahead("p", 0, 4096, 0.0)
    read = lane.ask("p", 0, 128, lambda _: None, 0.0, client="one")
    assert isinstance(read, Read)
    assert (read.length, read.needed) == (4096, 128)
    assert lane.ask("p", 0, 1000, lambda _: None, 0.0, client="one") is read
    assert read.needed == 1000
