"""What the admin API says of the routes that the box hears: the message of ``/v1/routes``, and its lines for people.

The audit is of this box alone; what only a comparison of boxes shows, steering's audit tells.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from heapq import nsmallest

from oca.admin.glance import RoutesStatus
from oca.common.messages import Message
from oca.common.prefix import absurdity, parse_prefix
from oca.common.routes import PathAttributes
from oca.network.bird_output import RouteTable, Session
from oca.report.route_watch import RouteWatch

ROUTES_SHOWN = 20
ROUTES_SHOWN_MAX = 10_000
EXAMPLES_MAX = 5


class SessionStatus(Message, frozen=True):
    """One BGP session."""

    name: str
    established: bool
    state: str
    since: str
    neighbour_as: str
    routes: int


class RouteFinding(Message, frozen=True):
    """What is wrong with some routes; ``examples`` are some of the ``prefixes``."""

    why: str
    prefixes: int
    examples: list[str]


class RouteStatus(Message, frozen=True):
    """One route."""

    prefix: str
    session: str
    attributes: PathAttributes


class RoutesPage(Message, frozen=True):
    """What is heard. ``kept`` routes are of sessions that are down, ``untold`` ones are not known to steering yet.

    ``socket`` is empty where no routes are heard, ``why`` says what is amiss. ``next`` continues after the last route
    that is shown, empty at the end.
    """

    socket: str
    why: str
    routes: int = 0
    kept: int = 0
    untold: int = 0
    read_s: float = 0.0
    sessions: tuple[SessionStatus, ...] = ()
    findings: tuple[RouteFinding, ...] = ()
    shown: tuple[RouteStatus, ...] = ()
    next: str = ""


def routes_status(watch: RouteWatch | None) -> RoutesStatus | None:
    """What ``watch`` has heard, at a glance; None where nothing is to be heard."""
    if watch is None:
        return None
    hearing = watch.hearing
    return RoutesStatus(
        routes=len(hearing.table),
        kept=hearing.kept,
        sessions=len(hearing.sessions),
        sessions_established=sum(one.established for one in hearing.sessions),
        why=watch.reason,
    )


def routes_page(watch: RouteWatch | None, *, socket: str, after: str, limit: int) -> RoutesPage:
    """What ``watch`` has heard; None where nothing is to be heard."""
    if watch is None:
        return RoutesPage(socket="", why="")
    table = watch.hearing.table
    shown, more = shown_routes(table, after=after, limit=limit)
    return RoutesPage(
        socket=socket,
        why=watch.reason,
        routes=len(table),
        kept=watch.hearing.kept,
        untold=watch.ledger.pending,
        read_s=watch.read_s,
        sessions=tuple(session_statuses(watch.hearing.sessions, table)),
        findings=tuple(route_findings(table)),
        shown=tuple(shown),
        next=more,
    )


def session_statuses(sessions: Iterable[Session], table: RouteTable) -> list[SessionStatus]:
    """The sessions, each with how many prefixes are reached by it."""
    counts: dict[str, int] = {}
    for route in table.values():
        counts[route.session] = counts.get(route.session, 0) + 1
    return [
        SessionStatus(
            name=one.name,
            established=one.established,
            state=one.state,
            since=one.since,
            neighbour_as=one.neighbour_as,
            routes=counts.get(one.name, 0),
        )
        for one in sessions
    ]


def route_findings(table: Iterable[str]) -> list[RouteFinding]:
    """Prefixes that steer nobody, by reason."""
    found: dict[str, list[str]] = {}
    counts: dict[str, int] = {}
    for text in table:
        prefix = parse_prefix(text)
        why = absurdity(prefix) if prefix is not None else "no prefix that is understood"
        if why:
            counts[why] = counts.get(why, 0) + 1
            examples = found.setdefault(why, [])
            if len(examples) < EXAMPLES_MAX:
                examples.append(text)
    return [RouteFinding(why=why, prefixes=counts[why], examples=found[why]) for why in sorted(found)]


def shown_routes(table: RouteTable, *, after: str, limit: int) -> tuple[list[RouteStatus], str]:
    """Up to ``limit`` routes whose prefixes come after ``after`` as text, and where to go on."""
    names = nsmallest(limit + 1, (prefix for prefix in table if prefix > after))
    shown = [
        RouteStatus(prefix=name, session=table[name].session, attributes=table[name].attributes)
        for name in names[:limit]
    ]
    return shown, shown[-1].prefix if len(names) > limit else ""


def routes_lines(page: RoutesPage) -> Iterator[str]:
    """The page for people."""
    if not page.socket:
        yield "no routes are heard: [routes] bird_socket is empty"
        return
    kept = f", {page.kept} of them kept from sessions that are down" if page.kept else ""
    untold = f", steering is yet to be told of {page.untold}" if page.untold else ""
    yield f"{page.routes} routes from BIRD at {page.socket}{kept}{untold}; read in {page.read_s:.2f} s"
    if page.why:
        yield page.why
    for session in page.sessions:
        place = f"AS{session.neighbour_as}" if session.neighbour_as else "no neighbour"
        since = f" since {session.since}" if session.since else ""
        yield f"  session {session.name} ({place}): {session.state}{since}, {session.routes} routes"
    for route in page.shown:
        said = route.attributes
        path = said.as_path or "the ISP's own"
        yield (
            f"  {route.prefix:<24} {path}  local-pref {said.local_pref}, origin {said.origin}, MED {said.med}"
            f"{', ' + said.communities if said.communities else ''}"
        )
    if page.next:
        yield f"  and more after {page.next}: --limit shows up to {ROUTES_SHOWN_MAX}"


def audit_lines(page: RoutesPage) -> Sequence[str]:
    """The findings for people, worst for viewers first: what is not heard at all."""
    if not page.socket:
        return ["no routes are heard: [routes] bird_socket is empty"]
    lines = [page.why] if page.why else []
    lines += [
        f"{one.prefixes} prefixes steer nobody, {one.why}: {', '.join(one.examples)}"
        f"{', …' if one.prefixes > len(one.examples) else ''}"
        for one in page.findings
    ]
    return lines or [
        f"{page.routes} routes, nothing wrong with any of them; 'oca-steering routes audit' compares boxes"
    ]
