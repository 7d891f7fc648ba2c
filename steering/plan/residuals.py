"""What came beside what plans had expected: learned once a day, and kept for the forecast's interval.

A plan made in the morning is for that day, and is still kept when the day is over. One made after noon, UTC, is for the
next: by the time that is over, another has taken its place. So what it expected is kept by day until it is counted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from steering.plan.forecast import Floats, Ints
from steering.plan.interval import BINS, CLASSES, Intervals, Residuals, classes_of, count, empty, faded
from steering.plan.kept_plan import KeptPlan, encode_plan
from steering.plan.outlook import day_of
from steering.plan.shelf import Shelf, is_new
from steering.plan.store import PlanStore
from steering.state.store import StateReader, StateStore, StateTransaction

_KEY = "about/residuals"
_AHEAD = "expected/"
_DAY_NS = 86400 * 10**9
SITES_COUNTED_MAX = 250
Watched = Callable[[str], "tuple[NDArray[np.int32], Floats] | None"]
"""By site: places on the shelf, in rising order, and the bytes that were watched of each yesterday; None: not known."""
_decode = msgspec.msgpack.Decoder(Residuals).decode
_encode = msgspec.msgpack.Encoder().encode


def read_intervals(state: StateReader) -> Intervals:
    """What is known by now; with little past of its own, what the back-test showed."""
    return Intervals(_read(state)[1])


def learn(
    state: StateStore, shelf: Shelf, sites: Sequence[str], yesterday: Watched, *, names: str, now_ns: int
) -> None:
    """Count how yesterday was, by the plans that were made for it; once a day. Call it before there are new plans.

    Of a large fleet some sites tell, others each day: a site has tens of thousands of assets to count.

    Args:
        state: Of steering.
        shelf: The catalogue.
        sites: All that are planned for.
        yesterday: What was watched.
        names: Stands for the names of the shelf, in the state.
        now_ns: When.

    Raises:
        SteeringError: The state cannot be written.
    """
    today = now_ns // _DAY_NS
    last, counts = _read(state)
    expectations = _Expectations(state, shelf, names)
    counted = empty()
    for site in _told(sites, today - 1) if last < today - 1 else ():
        expected, watched = expectations.of(site, today - 1), yesterday(site)
        if expected is not None and watched is not None:
            counted += of_site(shelf, *expected, *watched, day=today - 1)
    ahead = {
        (day, site): encode_plan(kept)
        for day in (today, today + 1)
        for site in _told(sites, day)
        if (kept := expectations.ahead(site, day)) is not None
    }
    counted_any = counted.any()
    counts = faded(counts, today - 1 - last if last else 0) + counted
    with state.write() as transaction:
        for (day, site), raw in ahead.items():
            transaction.put(f"{_AHEAD}{day:06}/{site}", raw)
        if counted_any:
            transaction.put(_KEY, _encode(Residuals(today - 1, counts.astype(np.float32).tobytes())))
        _drop_before(transaction, today)


def _told(sites: Sequence[str], day: int) -> Sequence[str]:
    """The sites that tell of a day."""
    step = len(sites) // SITES_COUNTED_MAX + 1
    return sites[day % step :: step]


class _Expectations:
    """What plans expect; names are looked up on the shelf once a list of them."""

    def __init__(self, state: StateReader, shelf: Shelf, names: str) -> None:
        self._shelf, self._names = shelf, names
        self._plans, self._moved = PlanStore(state, there=names), {names: np.arange(shelf.count)}

    def of(self, site: str, day: int) -> tuple[Ints, Floats] | None:
        """Rows of the shelf, below 0 what is no more in it, and bytes; None: not known."""
        kept = self._kept(site, day)
        return self._on_shelf(kept) if kept is not None else None

    def ahead(self, site: str, day: int) -> KeptPlan | None:
        """What is to be kept of it for when the day is over: places among the names of the shelf, and bytes."""
        kept = self._kept(site, day)
        if kept is None:
            return None
        places, expected = self._on_shelf(kept)
        there = places >= 0
        rows, of_each = places[there].astype(np.uint32), expected[there].astype(np.float32)
        return KeptPlan(kept.made_at_ns, self._names, [], [], rows.tobytes(), of_each.tobytes(), b"")

    def _kept(self, site: str, day: int) -> KeptPlan | None:
        """The last plan that was made for the day."""
        for key in (f"plan/{site}", f"{_AHEAD}{day:06}/{site}"):
            kept = self._plans.kept_at(key)
            if kept is not None and day_of(kept.made_at_ns) == day:
                return kept
        return None

    def _on_shelf(self, kept: KeptPlan) -> tuple[Ints, Floats]:
        if kept.names not in self._moved:
            listed = self._plans.names(kept.names)
            self._moved[kept.names] = np.array([self._shelf.place.get(name, -1) for name in listed], np.int64)
        return self._moved[kept.names][kept.places()], np.frombuffer(kept.expected, np.float32).astype(np.float64)


def _drop_before(transaction: StateTransaction, day: int) -> None:
    """Forget what was expected of days that are over."""
    for key in [key for key, _ in transaction.scan(_AHEAD) if key < f"{_AHEAD}{day:06}"]:
        transaction.delete(key)


def of_site(
    shelf: Shelf, places: Ints, expected: Floats, watched: NDArray[np.int32], watched_bytes: Floats, *, day: int
) -> Floats:
    """The counts of one site.

    Args:
        shelf: The catalogue.
        places: What its plan held, as rows of the shelf; below 0: no more in it.
        expected: Bytes of each.
        watched: Rows of what was watched, in rising order.
        watched_bytes: Of each.
        day: Which day that was, since 1970.
    """
    there = (places >= 0) & (expected > 0)
    places, expected = places[there], expected[there]
    some = ~shelf.manifests[places]
    places, expected = places[some], expected[some]
    came = np.zeros(len(shelf.assets))
    came[watched] = watched_bytes
    return count(
        classes_of(expected, shelf.stored_bytes[places], is_new(shelf.released_at_ns[places], day)),
        expected,
        came[places],
    )


def _read(state: StateReader) -> tuple[int, Floats]:
    """The last day that is counted, 0: none; and the counts."""
    raw = state.get(_KEY)
    kept = _decode(raw) if raw is not None else Residuals(0, b"")
    counts = np.frombuffer(kept.counts, np.float32).astype(np.float64)
    if counts.size != CLASSES * BINS:  # none yet, or of a release that counts by other classes
        return 0, empty()
    return kept.day, counts.reshape(CLASSES, BINS)
