"""What counts as heard while sessions come and go: a restart must not move a viewer, a withdrawal must. Pure.

What a session announced is kept for ``hold_s`` while it is down, and after it came back until what it brings has
settled, for no table is whole at once. A route that is withdrawn on a session that stands is gone at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from oca.network.bird_output import RouteTable, Session

SETTLED_S = 5.0
"""A session has settled when for so long nothing came on it; BIRD tells no end of what a neighbour sends at first."""


@dataclass(slots=True)
class _Known:
    """A session as last seen; ``unsettled_at`` since when it is down or bringing its table, None when all is well."""

    session: Session
    changed_at: float
    unsettled_at: float | None


class Hearing:
    """The table that is told to steering, and why parts of it are kept; instants are on a clock that never steps."""

    def __init__(self, *, hold_s: float) -> None:
        self._hold_s = hold_s
        self._sessions: dict[str, _Known] = {}
        self._begun = False
        self.table: RouteTable = {}
        self.kept = 0
        """Routes of the table that BIRD no longer has."""

    def has_begun(self) -> bool:
        """Whether the first table is whole: until then steering goes by what it knew before this daemon started."""
        self._begun = self._begun or not self.unsettled()
        return self._begun

    @property
    def sessions(self) -> list[Session]:
        """The sessions as last seen."""
        return [known.session for known in self._sessions.values()]

    def unsettled(self) -> list[str]:
        """Sessions of which more may be kept than BIRD has."""
        return [name for name, known in self._sessions.items() if known.unsettled_at is not None]

    def see(self, sessions: Sequence[Session], now: float) -> bool:
        """Take note of the sessions; whether the tables are to be read."""
        read = False
        present = {session.name for session in sessions}
        for session in sessions:
            known = self._sessions.get(session.name)
            if known is None:
                known = self._sessions[session.name] = _Known(session, now, now)
                read = True
            elif known.session != session:
                read = True
                known.changed_at = now
                if not session.established or session.since != known.session.since:
                    known.unsettled_at = known.unsettled_at if known.unsettled_at is not None else now
                known.session = session
            read |= self._settle(known, now)
        for name in self._sessions.keys() - present:
            read |= self._lose(name, now)
        return read

    def lost(self, now: float) -> bool:
        """BIRD does not answer: every session is down; whether the time of any is over."""
        over = [self._lose(name, now) for name in list(self._sessions)]
        return any(over)

    def take(self, read: RouteTable) -> RouteTable:
        """Make ``read`` the table, with what is kept of the sessions that are not settled."""
        kept = self._of(self.unsettled(), read)
        self.kept = len(kept)
        self.table = {**kept, **read}
        return self.table

    def _of(self, sessions: Iterable[str], read: RouteTable) -> RouteTable:
        names = frozenset(sessions)
        if not names:
            return {}
        return {prefix: route for prefix, route in self.table.items() if route.session in names and prefix not in read}

    def _settle(self, known: _Known, now: float) -> bool:
        """Whether it has settled just now, or its time is over: then what is kept of it goes."""
        if known.unsettled_at is None:
            return False
        settled = known.session.established and now - known.changed_at >= SETTLED_S
        if settled or now - known.unsettled_at >= self._hold_s:
            known.unsettled_at = None
            return True
        return False

    def _lose(self, name: str, now: float) -> bool:
        """The session is not there; whether what is kept of it is to go."""
        known = self._sessions[name]
        if known.session.established:
            known.session = known.session._replace(established=False, state="not there", since="")
            known.unsettled_at = known.unsettled_at if known.unsettled_at is not None else now
        if known.unsettled_at is None or now - known.unsettled_at >= self._hold_s:
            del self._sessions[name]
            return True
        return False
