"""Makes the plans: reads demand and capacities from the state, has them decided, keeps the result for the night."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, date, datetime, timedelta
from functools import partial

from oca.common.errors import SteeringError
from oca.common.log import get_logger
from oca.common.messages import FillPlan
from steering.plan.demand import drop_before
from steering.plan.desk import Done
from steering.plan.desks import Desks
from steering.plan.evidence import DAY_NS
from steering.plan.night import Night
from steering.plan.outlook import keep_night
from steering.plan.residuals import learn
from steering.plan.store import drop_names, put_names, put_plan
from steering.settings import Site, SteeringSettings
from steering.state.store import StateReader, StateStore
from steering.titles.catalogue import Catalogue

_MADE_KEY = "about/planned-at-ns"
_GAP_NS_MAX = 7 * 86400 * 10**9
THREADS = 2
"""Sites of a small fleet are planned side by side: most of it is NumPy, which lets the other one go on."""
SITES_PER_PROCESS = 100
"""Of fewer, starting a process takes longer than it saves."""
PROCESSES_MAX = 4
SITES_PER_WRITE = 16
_log = get_logger("plans")


def make_plans(
    state: StateStore,
    settings: SteeringSettings,
    *,
    now_ns: int,
    told: Callable[[int, int], None] = lambda *_: None,
    end: Future[None] | None = None,
) -> int:
    """Plan for every appliance whose capacity is known, keep the plans, and drop demand past its time.

    Nothing is dropped in the first planning after a week without any. Killed at any moment, it leaves of each site the
    plan of the night before, or the new one.

    Args:
        state: Of steering.
        settings: Of steering.
        now_ns: When.
        told: Is called now and then with how many sites are planned, and of how many.
        end: Once this is cancelled, nobody wants the plans any more: what plans sites ends at once.

    Returns:
        For how many appliances.
    """
    from steering.history import log  # noqa: PLC0415 - the other commands start without its engines
    from steering.history.upkeep import keep_up  # noqa: PLC0415

    state.free_readers()  # a reader that died would keep the pages that writes free
    keep_up(state, settings, now_ns=now_ns)
    planned = 0
    end = end or Future()
    with ExitStack() as stack:
        start = partial(_desks, settings.plan.processes, stack, end)
        night = Night(state, settings, settings.site, now_ns=now_ns, start=start)
        names = put_names(state, list(night.shelf.place))
        told_of = [site.id for site in night.sites]
        keeping = _keep(
            state,
            night,
            names,
            partial(learn, state, night.shelf, told_of, night.yesterday, names=names, now_ns=now_ns),
            end=end,
        )
        for sites, boxes in keeping:
            planned += boxes
            told(sites, len(night.sites))
    oldest = _day(now_ns) - timedelta(days=settings.plan.history_days)
    with state.write() as transaction:
        # After a long gap the clock may be wrong; by the next planning it is put right, or was right.
        since_ns = now_ns - planned_at_ns(transaction)
        drop_names(transaction, but=names)
        transaction.put(_MADE_KEY, str(now_ns).encode())
        if since_ns <= _GAP_NS_MAX:
            drop_before(transaction, oldest)
            log.drop_before(transaction, now_ns // DAY_NS - settings.history.keep_days)
    return planned


def _keep(
    state: StateStore, night: Night, names: str, learning: Callable[[], None], *, end: Future[None]
) -> Iterator[tuple[int, int]]:
    """Plan and keep some sites after the others: the writer that appliances wait for must be brief.

    While some are written, which waits for the disk, the next are planned. What last night's plans had expected is
    learned while the first are planned, and before they are replaced.

    Yields how many sites are planned, and how many boxes the last of them have.
    """
    ordered = sorted(night.sites, key=lambda site: site.region)
    parts = [ordered[start : start + SITES_PER_WRITE] for start in range(0, len(ordered), SITES_PER_WRITE)]
    desks = _begun(night, names)
    with ExitStack() as stack:
        pool = ThreadPoolExecutor(len(desks.pids) if desks else THREADS, thread_name_prefix="plans")
        stack.callback(pool.shutdown, cancel_futures=True)
        end.add_done_callback(lambda _: pool.shutdown(wait=False, cancel_futures=True))
        if desks:
            stack.callback(desks.end)  # else the pool would wait for sites that nobody wants any more
        begun: deque[list[Future[Done]]] = deque()

        def begin(number: int) -> None:
            if desks is None:
                night.prepare([site for part in parts[max(number - 1, 0) : number + 1] for site in part])
            begun.extend([pool.submit(night.done, site, names) for site in part] for part in parts[number:][:1])

        begin(0)
        begin(1)
        learning()
        del learning  # and what only that goes by
        done = 0
        for number, sites in enumerate(parts):
            planned = [each.result() for each in begun.popleft()]
            begin(number + 2)
            with state.write() as transaction:
                for each in planned:
                    put_plan(transaction, each.site, each.kept)
                    keep_night(transaction, each.site, each.night, each.came)
                    transaction.put(f"allowed/{each.site}", str(int(each.allowed_bytes)).encode())
            done += len(sites)
            yield done, sum(len(each.kept.boxes) for each in planned)


def _desks(wanted: int, stack: ExitStack, end: Future[None], sites: int) -> Desks | None:
    """Processes that plan; None: none pay, or none can be started, and sites are planned by threads."""
    processes = _processes(wanted, sites)
    if processes < 2:
        return None
    try:
        desks = stack.enter_context(Desks(processes))
    except SteeringError as error:
        _log.warning("sites are planned without processes of their own", why=str(error))
        return None
    end.add_done_callback(lambda _: desks.kill())
    return desks


def _begun(night: Night, names: str) -> Desks | None:
    """Those that plan the night's sites from now on; None: threads do."""
    if night.desks is not None:
        try:
            night.hand_over(night.desks, names)
        except SteeringError as error:
            _log.warning("sites are planned without processes of their own", why=str(error))
            night.desks.close()
            return None
    return night.desks


def _processes(wanted: int, sites: int) -> int:
    """How many plan the sites: as many as are set, or as pay for their start."""
    if wanted:
        return min(wanted, sites)
    return min(len(os.sched_getaffinity(0)), PROCESSES_MAX, sites // SITES_PER_PROCESS)


def compute_plans(
    state: StateStore, settings: SteeringSettings, sites: Sequence[Site], catalogue: Catalogue, *, now_ns: int
) -> dict[str, FillPlan]:
    """The plans of these sites' appliances as they would be made now; nothing is kept."""
    night = Night(state, settings, sites, now_ns=now_ns)
    night.prepare(night.sites)
    return {name: plan for site in night.sites for name, plan in night.fill_plans(night.plan(site), catalogue).items()}


def planned_at_ns(state: StateReader) -> int:
    """When plans were last made; 0: never."""
    return int(state.get(_MADE_KEY) or b"0")


def next_planning(at: str, after: datetime) -> datetime:
    """The next instant after ``after`` (aware, local) at which the clock on the wall shows ``at``."""
    hour, _, minute = at.partition(":")
    due = after.replace(hour=int(hour), minute=int(minute), second=0, microsecond=0)
    return due if due > after else due + timedelta(days=1)


def last_planning(at: str, before: datetime) -> datetime:
    """The last instant up to ``before`` at which the clock on the wall showed ``at``."""
    return next_planning(at, before) - timedelta(days=1)


def _day(instant_ns: int) -> date:
    return datetime.fromtimestamp(instant_ns / 1e9, tz=UTC).date()
