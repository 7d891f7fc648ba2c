from __future__ import annotations

import asyncio
import os
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from copy import copy
from pathlib import Path
from threading import Lock, Thread
from threading import enumerate as enumerate_threads
from typing import Any, cast

import pytest
from msgspec.structs import replace

import steering.plan.desks as desks_module
import steering.plan.nightly as nightly_module
import steering.plan.planner as planner_module
from oca.common.errors import SteeringError
from steering.metrics import Counts
from steering.plan import desk_process
from steering.plan.demand import fold
from steering.plan.desk import Asked, Done
from steering.plan.desks import Desks
from steering.plan.kept_plan import encode_plan
from steering.plan.night import Night
from steering.plan.nightly import NightlyPlans
from steering.plan.outlook import day_of
from steering.plan.planner import make_plans
from steering.plan.rankings import Rankings
from steering.plan.store import PlanStore, put_names
from steering.settings import Site, SiteAppliance, SteeringSettings
from steering.state.embedded import EmbeddedState
from steering.titles.catalogue import write_title
from tests.unit.steering import made_up
from tests.unit.steering.made_up import DAY_NS, NOW_NS, make_batch, make_settings, make_title
from tests.waiting import WAIT_S, until, wait_until

SITES = 5
KEPT = ("plan/", "plan-names/", "outlook/", "allowed/", "expected/", "about/")


def settings_of(**plan: object) -> SteeringSettings:
    """Sites of two boxes in two regions."""
    sites = tuple(
        Site(id=f"site-{at}", region=("DE", "US")[at % 2], appliance=tuple(map(box_of, (f"{at}-a", f"{at}-b"))))
        for at in range(SITES)
    )
    plain = make_settings()
    return replace(plain, site=sites, plan=replace(plain.plan, **plan))


def box_of(name: str) -> SiteAppliance:
    return SiteAppliance(id=f"box-{name}")


def fill(state: EmbeddedState) -> EmbeddedState:
    """Titles, capacities and what was watched."""
    assets = {f"title-{at}/{part}" for at in range(30) for part in ("video-240p", "video-1080p", "audio-en")}
    with state.write() as transaction:
        for at in range(30):
            write_title(transaction, make_title(f"title-{at}", regions=[["DE"], []][at % 2]), [])
        for number, site in enumerate(settings_of().site):
            for appliance in site.appliance:
                transaction.put(f"capacity/{appliance.id}", str(60_000 + 40_000 * number).encode())
            for day in range(3):
                watched: dict[str, Any] = {
                    f"title_{7 * at % (11 + number)}__video_1080p": (at, 9_000 * at) for at in range(1, 9)
                }
                batch = make_batch(day, at_ns=NOW_NS - (1 + day) * DAY_NS, **watched)
                fold(transaction, site.appliance[0].id, site.id, batch, now_ns=NOW_NS, known=assets)
    return state


def kept_by(folder: Path, nights: int, **plan: object) -> dict[str, bytes]:
    """All that so many nights keep, of a state of their own."""
    folder.mkdir()
    state = fill(EmbeddedState.open(folder / "state", bytes_max=2**26))
    for night in range(nights):
        make_plans(state, settings_of(**plan), now_ns=NOW_NS + night * DAY_NS)
    found = {key: value for prefix in KEPT for key, value in state.scan(prefix)}
    state.close()
    return found


@pytest.mark.parametrize("kindred_sites_max", [SITES, SITES - 1])
def test_plans_are_the_same_to_the_byte_by_one_process_or_several(
    kindred_sites_max: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of a large fleet, too, which are reckoned by rankings."""
    made: list[Rankings] = []
    monkeypatch.setattr("steering.plan.tomorrow.KINDRED_SITES_MAX", kindred_sites_max)

    class Seen(Rankings):
        def __init__(self, *of: Any) -> None:
            super().__init__(*of)
            made.append(self)

    monkeypatch.setattr("steering.plan.tomorrow.Rankings", Seen)
    one = kept_by(tmp_path / "one", 2, processes=1)
    assert bool(made) == (kindred_sites_max < SITES)
    assert len([key for key in one if key.startswith("plan/")]) == SITES
    made.clear()
    assert one == kept_by(tmp_path / "two", 2, processes=2)
    assert made == [], "by the processes alone"


def test_planning_by_processes_reads_no_names_that_are_the_nights_before(
    state: EmbeddedState, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There are a million of them, and a publication in between is what makes others."""
    read: list[str] = []
    plain = PlanStore.names

    def names(store: PlanStore, digest: str) -> list[str]:
        read.append(digest)
        return plain(store, digest)

    fill(state)
    make_plans(state, settings_of(processes=2), now_ns=NOW_NS)
    monkeypatch.setattr(PlanStore, "names", names)
    make_plans(state, settings_of(processes=2), now_ns=NOW_NS + DAY_NS)
    assert read == []
    with state.write() as transaction:
        write_title(transaction, make_title("title-new"), [])
    make_plans(state, settings_of(processes=2), now_ns=NOW_NS + 2 * DAY_NS)
    assert len(set(read)) == 1


Begun = tuple[Desks, Callable[[Site], Done], Callable[[Site], Done]]


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Night, str]]:
    """One to be planned, and what stands for its names."""
    folder = tmp_path_factory.mktemp("night")
    state = fill(EmbeddedState.open(folder / "state", bytes_max=2**26))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(made_up, "history_path", str(folder / "history"))
        settings = settings_of()
        night = Night(state, settings, settings.site, now_ns=NOW_NS)
    night.prepare(settings.site)
    yield night, put_names(state, list(night.shelf.place))
    state.close()


@pytest.fixture
def begun(night: tuple[Night, str]) -> Iterator[Begun]:
    """Two processes; a site's plan by them, and by none."""
    (here, names), there = night, copy(night[0])
    with Desks(2) as desks:
        there.hand_over(desks, names)
        yield desks, lambda site: there.done(site, names), lambda site: here.done(site, names)


def as_bytes(done: Done) -> tuple[bytes, object, float]:
    return encode_plan(done.kept), done.night, done.allowed_bytes


@pytest.fixture
def lost(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Why processes were lost, as it is logged."""
    whys: list[str] = []
    monkeypatch.setattr("steering.plan.desks._log.warning", lambda _event, *, why, left: whys.append(f"{left}: {why}"))
    return whys


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Desks]:
    """Those of each planning."""
    opened: list[Desks] = []

    def open_desks(count: int) -> Desks:
        opened.append(Desks(count))
        return opened[-1]

    monkeypatch.setattr(planner_module, "Desks", open_desks)
    return opened


def test_processes_that_are_all_killed_before_they_begin_are_told_of_at_once(night: tuple[Night, str]) -> None:
    with Desks(2) as desks:
        for each in desks._processes:
            os.kill(each.pid, signal.SIGKILL)
            each._process.wait(WAIT_S)
        with pytest.raises(SteeringError, match="a process that began was ended by signal 9"):
            night[0].hand_over(desks, night[1])
    assert night[0].done(settings_of().site[0], night[1]).site == "site-0", "what threads need is still there"


def test_planning_goes_on_without_a_process_that_is_killed(begun: Begun) -> None:
    desks, there, here = begun
    sites = settings_of().site
    assert as_bytes(there(sites[0])) == as_bytes(here(sites[0]))
    os.kill(desks.pids[0], signal.SIGKILL)
    for site in sites:
        assert as_bytes(there(site)) == as_bytes(here(site)), "ended by a signal, its site goes to the other"
    os.kill(desks.pids[1], signal.SIGKILL)
    for _ in range(2):
        with pytest.raises(
            SteeringError, match=r"planning ended .*: a process that planned site-0 was ended by signal 9"
        ):
            there(sites[0])


def test_planning_goes_on_without_a_process_that_gives_no_answer(begun: Begun, lost: list[str]) -> None:
    desks, there, here = begun
    os.kill(desks.pids[0], signal.SIGSTOP)
    desks._processes[0].answer_within(0.05)
    for site in settings_of().site:
        assert as_bytes(there(site)) == as_bytes(here(site))
    assert lost == ["1: a process that planned site-0 gave no answer for 0.05 s"]


def test_planning_goes_on_without_a_process_that_takes_no_message(begun: Begun, lost: list[str]) -> None:
    desks, there, here = begun
    site = settings_of().site[0]
    os.kill(desks.pids[0], signal.SIGSTOP)
    desks._processes[0].answer_within(0.05)
    with pytest.raises(BlockingIOError):
        desks._processes[0]._talk.send(bytes(2**24))
    assert as_bytes(there(site)) == as_bytes(here(site))
    assert lost == ["1: a process that planned site-0 gave no answer for 0.05 s"]


def test_planning_goes_on_without_a_process_that_is_killed_as_it_starts(
    state: EmbeddedState, lost: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[int] = []

    class Killed(desks_module._Process):
        def __init__(self, memory: int) -> None:
            super().__init__(memory)
            started.append(self.pid)
            if len(started) in killed:
                os.kill(self.pid, signal.SIGKILL)
                os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)

    monkeypatch.setattr(desks_module, "_Process", Killed)
    fill(state)
    killed = {1}
    assert make_plans(state, settings_of(processes=2), now_ns=NOW_NS) == 2 * SITES
    assert lost == ["1: a process that began was ended by signal 9"]
    killed = {3, 4}  # threads plan then
    assert make_plans(state, settings_of(processes=2), now_ns=NOW_NS + DAY_NS) == 2 * SITES


def test_planning_goes_on_without_a_process_that_has_no_memory(
    begun: Begun, lost: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    desks, there, here = begun
    monkeypatch.setattr(desks._processes[0]._talk, "recv", MemoryError)
    for site in settings_of().site:
        assert as_bytes(there(site)) == as_bytes(here(site))
    assert lost == ["1: a process that planned site-0 ran out of memory"]


def test_fault_at_a_desk_is_raised_as_what_it_is_and_costs_no_process(begun: Begun, lost: list[str]) -> None:
    desks, there, here = begun
    for _ in range(3):
        with pytest.raises(TypeError, match="'NoneType' object is not iterable") as raised:
            desks.done(Asked("site-0", "DE", cast("Any", None), {}, 0.0, None))
        (note,) = raised.value.__notes__
        assert note.startswith("in a process that plans:\nTraceback")
        assert "in plan_site" in note
    for site in settings_of().site:
        assert as_bytes(there(site)) == as_bytes(here(site))
    assert lost == []


def test_fault_that_no_other_process_can_have_is_told_in_words() -> None:
    told = desk_process._portable(SteeringError("it is gone", remedy="look"))
    assert repr(told) == "RuntimeError('SteeringError: it is gone; look')"
    assert told.__notes__


def test_process_that_may_be_amid_a_message_is_asked_no_more(begun: Begun, lost: list[str]) -> None:
    desks, there, _ = begun
    unsayable = Asked("site-0", "DE", [], cast("Any", Lock()), 0.0, None)
    for left in (1, 0):
        with pytest.raises(TypeError, match="cannot pickle"):
            desks.done(unsayable)
        assert lost[-1].startswith(f"{left}: a process that planned site-0 was left: TypeError: cannot pickle")
    with pytest.raises(SteeringError, match=r"planning ended before all sites were planned: .* was left: TypeError"):
        there(settings_of().site[0])


def test_planning_by_processes_ends_by_what_fails_beside_them(
    state: EmbeddedState, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise MemoryError("for what holds in a region")

    fill(state)
    monkeypatch.setattr("steering.plan.night.ground", full)
    with pytest.raises(MemoryError, match="for what holds"):
        make_plans(state, settings_of(processes=2), now_ns=NOW_NS)


def test_planning_that_fails_waits_for_no_site_in_hand(
    state: EmbeddedState, opened: list[Desks], lost: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here of processes that are stopped."""
    plain = Night._asked

    def asked(night: Night, site: Site) -> Asked:
        if site.id == "site-0":
            wait_until(lambda: opened[0]._idle.qsize() < 2)
            raise RuntimeError("nothing is known of it")
        for pid in opened[0].pids:
            os.kill(pid, signal.SIGSTOP)
        return plain(night, site)

    fill(state)
    monkeypatch.setattr(Night, "_asked", asked)
    monkeypatch.setattr(desks_module, "ANSWER_S_MAX", 3600.0)
    monkeypatch.setattr(desks_module, "_END_S_MAX", 0.1)
    with pytest.raises(RuntimeError, match="nothing is known of it"):
        make_plans(state, settings_of(processes=2), now_ns=NOW_NS)
    assert [each._process.returncode for each in opened[0]._processes] == [-signal.SIGKILL] * 2
    assert lost == []


def test_processes_that_end_are_waited_for_at_once(begun: Begun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desks_module, "_END_S_MAX", WAIT_S)
    desks, there, _ = begun
    for site in settings_of().site[:2]:
        there(site)  # both are past their start
    first, second = desks._processes
    os.kill(first.pid, signal.SIGSTOP)
    closing = Thread(target=desks.close)
    closing.start()
    try:
        assert second._process.wait(WAIT_S / 2) == 0
        assert first._process.returncode is None
    finally:
        os.kill(first.pid, signal.SIGCONT)
        closing.join()
    assert [each._process.returncode for each in desks._processes] == [0, 0]


def test_process_whose_asker_is_killed_amid_a_message_ends_quietly() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", "steering.plan.desk_process", str(theirs.fileno()), "-1"],
            stderr=subprocess.PIPE,
            pass_fds=(theirs.fileno(),),
        )
        theirs.close()
        ours.sendall(struct.pack("!i", 1000) + b"amid")
        ours.close()
        assert process.communicate(timeout=WAIT_S)[1] == b""
    assert process.returncode == 0


def test_processes_give_way_among_the_same_as_who_plans(begun: Begun) -> None:
    """Niceness counts within an autogroup alone, which sessions of their own would make."""
    desks, there, _ = begun
    for site in settings_of().site[:2]:
        there(site)
    lower = min(os.getpriority(os.PRIO_PROCESS, 0) + desk_process.NICENESS, 19)
    assert [os.getpriority(os.PRIO_PROCESS, pid) for pid in desks.pids] == [lower] * 2
    assert [autogroup(pid) for pid in desks.pids] == [autogroup(os.getpid())] * 2
    assert all(os.getpgid(pid) == pid for pid in desks.pids), "Ctrl-C is not for them"


def autogroup(pid: int) -> str | None:
    """Which it is; None: this kernel has none, or the process is in none, as in a container with processor limits."""
    path = Path(f"/proc/{pid}/autogroup")
    words = path.read_text().split() if path.exists() else []
    return words[0] if words else None


def test_processes_leave_signals_to_who_plans_and_end_with_it(begun: Begun) -> None:
    desks, there, _ = begun
    sites = settings_of().site
    there(sites[0])
    there(sites[1])  # both are past their start
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        for pid in desks.pids:
            os.kill(pid, number)
    assert there(sites[0]).night.day == day_of(NOW_NS)
    for each in desks._processes:
        each.hang_up()  # as the kernel does when this process is no more
        assert each._process.wait(30) == 0


def test_planning_whose_processes_are_all_killed_leaves_each_site_a_plan(
    tmp_path: Path, state: EmbeddedState, opened: list[Desks], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The night before's, or the new one: nothing half."""
    fill(state)
    settings = settings_of(processes=2)
    make_plans(state, settings, now_ns=NOW_NS)
    before = dict(state.scan("plan/"))
    monkeypatch.setattr(planner_module, "SITES_PER_WRITE", 1)

    def told(done: int, _total: int) -> None:
        for pid in opened[1].pids if done == 1 else ():
            os.kill(pid, signal.SIGKILL)

    with pytest.raises(SteeringError, match="planning ended before all sites were planned"):
        make_plans(state, settings, now_ns=NOW_NS + DAY_NS, told=told)
    after = dict(state.scan("plan/"))
    assert after.keys() == before.keys()
    whole = kept_by(tmp_path / "whole", 2, processes=1)
    assert all(after[key] in (before[key], whole[key]) for key in after)
    assert after != before


@pytest.fixture
def warned(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, object]]]:
    """What is logged of planning with fewer helpers than were asked for."""
    told: list[tuple[str, dict[str, object]]] = []
    for log in (desks_module._log, planner_module._log):
        monkeypatch.setattr(log, "warning", lambda event, **named: told.append((event, named)))
    return told


def fails_after(count: int, works: Callable[..., Any], error: Exception) -> Callable[..., Any]:
    """The same, so many times; then it fails."""
    left = iter(range(count))

    def failing(*of: Any, **named: Any) -> Any:
        if next(left, None) is None:
            raise error
        return works(*of, **named)

    return failing


def test_planning_goes_on_with_as_many_processes_as_can_be_started(
    tmp_path: Path,
    warned: list[tuple[str, dict[str, object]]],
    opened: list[Desks],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = kept_by(tmp_path / "whole", 1, processes=1)
    busy = BlockingIOError(11, "Resource temporarily unavailable")
    monkeypatch.setattr("steering.plan.desks.subprocess.Popen", fails_after(1, subprocess.Popen, busy))
    assert kept_by(tmp_path / "fewer", 1, processes=3) == whole
    assert [len(each.pids) for each in opened] == [1]
    why = "Resource temporarily unavailable"
    assert warned == [("fewer processes plan than were asked for", {"started": 1, "of": 3, "why": why})]


@pytest.mark.parametrize(
    ("what", "error"),
    [
        ("desks.subprocess.Popen", BlockingIOError(11, "Resource temporarily unavailable")),
        ("desks.subprocess.Popen", FileNotFoundError(2, "No such file or directory")),
        ("desks.socket.socketpair", OSError(24, "Too many open files")),
        ("common_memory.os.memfd_create", OSError(12, "Cannot allocate memory")),
        ("desks._shared", SteeringError("Cannot allocate memory", remedy="see how much memory is free")),
    ],
)
def test_planning_goes_on_without_processes_where_none_can_be_started(
    what: str,
    error: OSError | SteeringError,
    tmp_path: Path,
    warned: list[tuple[str, dict[str, object]]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = kept_by(tmp_path / "whole", 1, processes=1)
    monkeypatch.setattr(f"steering.plan.{what}", fails_after(0, lambda: None, error))
    assert kept_by(tmp_path / "none", 1, processes=2) == whole
    ((event, named),) = warned
    assert event == "sites are planned without processes of their own"
    assert f"{getattr(error, 'strerror', 'Cannot allocate memory')}; see how" in str(named["why"])


async def test_end_of_steering_waits_for_no_process_that_plans(
    state: EmbeddedState, opened: list[Desks], lost: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here of processes that are stopped."""
    plain, begun = Night._asked, list[str]()

    def asked(night: Night, site: Site) -> Asked:
        for pid in opened[0].pids:
            os.kill(pid, signal.SIGSTOP)
        begun.append(site.id)
        return plain(night, site)

    fill(state)
    monkeypatch.setattr(Night, "_asked", asked)
    monkeypatch.setattr(desks_module, "ANSWER_S_MAX", 3600.0)
    monkeypatch.setattr(nightly_module, "now_ns", lambda: NOW_NS)
    planning = asyncio.ensure_future(NightlyPlans(state, settings_of(processes=2), Counts(), instance="a")._plan())
    await until(lambda: len(begun) == 2 and not opened[0]._idle.qsize())
    planning.cancel()
    with pytest.raises(asyncio.CancelledError):
        await planning
    for each in enumerate_threads():
        if each.name.startswith("plans"):
            each.join(WAIT_S)
            assert not each.is_alive()
    assert [each._process.returncode for each in opened[0]._processes] == [-signal.SIGKILL] * 2
    assert lost == []


def test_processes_end_where_what_they_were_to_plan_by_cannot_be_read(
    state: EmbeddedState, opened: list[Desks], monkeypatch: pytest.MonkeyPatch
) -> None:
    def unread(*_: object, **__: object) -> None:
        raise SteeringError("past demand cannot be read", remedy="look")

    fill(state)
    monkeypatch.setattr("steering.plan.night.Tomorrow", unread)
    with pytest.raises(SteeringError, match="past demand cannot be read"):
        make_plans(state, settings_of(processes=2), now_ns=NOW_NS)
    assert all(each._process.returncode is not None for each in opened[0]._processes)


@pytest.mark.parametrize(
    ("wanted", "sites", "processors", "count"),
    [
        (0, 99, 8, 0),
        (0, 250, 8, 2),
        (0, 5000, 2, 2),
        (0, 5000, 64, 4),
        (3, 2, 1, 2),
        (1, 5000, 8, 1),
        (16, 5000, 2, 16),
    ],
)
def test_processes_are_as_many_as_are_set_or_as_pay(
    wanted: int, sites: int, processors: int, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("steering.plan.planner.os.sched_getaffinity", lambda _: set(range(processors)))
    assert planner_module._processes(wanted, sites) == count
