"""Probes the fleet, tells the other instances what it saw, and takes out what enough of them cannot fetch from."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import msgspec

from oca.common.clock import monotonic_s
from oca.common.errors import OcaError
from oca.common.log import get_logger
from oca.common.tasks import Tasks
from steering.decision.decider import Decider
from steering.fleet.absences import NEVER_AWAY, Absences, come_back
from steering.fleet.liveness import returning
from steering.probing.fetch import Fetcher
from steering.probing.observations import ISOLATED, Observations, Seen, Statement
from steering.probing.quorum import combine
from steering.probing.rota import Rota
from steering.probing.targets import Targets
from steering.probing.views import ObserverView
from steering.state.peers import Board, Peers

TURN_S = 0.1
CONCLUDE_S = 1.0
PIN_S = 5.0
STATEMENT_S_MAX = 15.0
"""An observer that has told nothing for so long does not vote any more."""
UNHEARD_S = 1.0
LATE_S = 1.0
_log = get_logger("probes")
_decode = msgspec.json.Decoder(Statement).decode
_encode = msgspec.json.Encoder().encode


class Prober:
    """The probes of one instance. ``look`` is called again and again."""

    def __init__(self, decider: Decider, peers: Peers, *, now_s: Callable[[], float] = monotonic_s) -> None:
        """Make ready.

        Raises:
            ConfigError: ``probes.ca_file`` cannot be used.
        """
        self._decider = decider
        self._peers = peers
        self._now_s = now_s
        self.settings = decider.settings.probes
        self._targets = Targets(decider)
        self._fetcher = Fetcher(timeout_s=self.settings.timeout_s, ca_file=self.settings.ca_file)
        self._seen = Observations(self.settings)
        self._rota = Rota(decider.site_of, now_s())
        self._under_way = 0
        self._tasks = Tasks()
        self._board = Board(peers, "verdicts", now_s)
        self._pinned: tuple[float, Statement | None] = (float("-inf"), None)
        self._concluded_at_s = float("-inf")
        self._out: Mapping[str, str] = {}
        self._absences: dict[str, Absences] = {}
        self._gone_at_s: dict[str, float] = {}
        self._abstains = ""
        self._counted_at_s, self._heard = float("-inf"), 0

    @property
    def is_on(self) -> bool:
        """Whether anything is probed."""
        return self.settings.interval_s > 0

    def last(self, appliance: str) -> Seen | None:
        """The last probe of an appliance from here; None where there was none of late."""
        return self._seen.last(appliance, self._now_s())

    async def look(self) -> None:
        """Start the probes that are due; count the votes now and then."""
        now = self._now_s()
        for appliance in self._rota.due(now, self.settings.concurrency_max - self._under_way):
            if self._decider.fleet.is_heard(appliance, now):
                self._under_way += 1
                self._tasks.start(self._probe(appliance, now), name="probe")
            else:
                self._rota.put_back(appliance, now + UNHEARD_S)
        if now - self._concluded_at_s >= CONCLUDE_S:
            self._concluded_at_s = now
            self._conclude(now)
        self._decider.counts.values["steering_probes_late_seconds"] = int(self._rota.late_s(now))
        await asyncio.sleep(TURN_S)

    def faults(self) -> list[str]:
        """What is amiss with observing."""
        late_s = self._rota.late_s(self._now_s()) if self.is_on else 0.0
        late = f"probes are {late_s:.0f} s late: raise probes.concurrency_max or interval_s"
        return [
            *([f"this observer does not vote: {self._abstains}"] if self._abstains.startswith(ISOLATED) else []),
            *([late] if late_s > max(LATE_S, self.settings.interval_s) else []),
        ]

    def observers(self) -> list[ObserverView]:
        """What each instance says, this one first."""
        views = []
        for name, word in self._board.words(age_s_max=STATEMENT_S_MAX).items():
            said = _read(word.body)
            views.append(
                ObserverView(
                    observer=name,
                    is_this=name == self._peers.instance,
                    votes=not said.abstains,
                    abstains=said.abstains,
                    probed=said.probed,
                    against=len(said.failing),
                    age_s=round(word.age_s, 1),
                )
            )
        return sorted(views, key=lambda view: (not view.is_this, view.observer))

    async def close(self) -> None:
        """End what is under way."""
        await self._tasks.close()
        await self._fetcher.close()

    async def _probe(self, appliance: str, began_at_s: float) -> None:
        again_s = self.settings.interval_s
        try:
            target = self._targets.of(appliance)
            if target is None:
                return
            why = await self._fetcher.fetch(target)
            if why:
                again_s = min(again_s, self.settings.retry_s)
            checked = target.wanted is not None
            outcome = "failed" if why else "good" if checked else "unchecked"
            self._decider.counts.add(f"steering_probes:{outcome}")
            if self._seen.note(appliance, why, self._now_s(), checked=checked):
                self._concluded_at_s = float("-inf")
        except OcaError as error:  # the state cannot be read: says nothing of the appliance
            _log.warning("an appliance cannot be probed", appliance=appliance, why=str(error))
        finally:
            self._under_way -= 1
            self._rota.put_back(appliance, max(began_at_s + again_s, self._now_s()))

    def _conclude(self, now: float) -> None:
        """Say what was seen, hear what others say, and let the fleet know what comes of it."""
        fleet = self._decider.fleet
        if now - self._counted_at_s >= PIN_S or self._abstains:
            self._counted_at_s, self._heard = now, sum(fleet.is_heard(name, now) for name in self._decider.site_of)
        said = self._seen.statement(lambda name: fleet.is_heard(name, now), self._heard, now)
        pinned_at_s, pinned = self._pinned
        if said.failing != (pinned.failing if pinned else None) or now - pinned_at_s >= PIN_S:
            self._pinned = now, said
            self._board.pin(_encode(said))
        if said.abstains.startswith(ISOLATED) != self._abstains.startswith(ISOLATED):
            _log.warning("this observer", vote="none" if said.abstains else "again", why=said.abstains)
        self._abstains = said.abstains
        words = {name: _read(word.body) for name, word in self._board.words(age_s_max=STATEMENT_S_MAX).items()}
        quorum = combine(words, agree_ratio=self.settings.agree_ratio)
        votes = len(quorum.voters)
        self._decider.counts.values |= {
            "steering_observers:votes": votes,
            "steering_observers:abstains": len(words) - votes,
        }
        for appliance in self._gone_at_s.keys() | quorum.out.keys():
            if appliance in self._decider.site_of:
                self._tell(appliance, quorum.out.get(appliance, ""), now)
        self._out = quorum.out

    def _tell(self, appliance: str, why: str, now: float) -> None:
        """Let the fleet know of one that is out, or was: it has to stay, if it was out before."""
        if bool(why) != (appliance in self._out):
            _log.warning("probes", appliance=appliance, verdict="out" if why else "can be fetched from again", why=why)
        back = ""
        if why:
            self._gone_at_s.setdefault(appliance, now)
        else:
            if appliance in self._out:
                before, settle_s = self._absences.get(appliance, NEVER_AWAY), self._decider.settings.fleet.return_s
                gone_at_s = self._gone_at_s[appliance]
                self._absences[appliance] = come_back(before, gone_at_s, now, settle_s=settle_s)
            back = returning(self._absences[appliance], now)
            if not back:
                del self._gone_at_s[appliance]
        if self._decider.fleet.note(appliance, unreachable=why, returning=back):
            self._decider.heard(appliance)


def _read(body: bytes) -> Statement:
    """A statement; one that cannot be read abstains."""
    try:
        return _decode(body)
    except msgspec.DecodeError as error:
        return Statement(probed=0, failing={}, abstains=f"cannot be understood: {error}")
