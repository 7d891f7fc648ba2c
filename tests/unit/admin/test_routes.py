from __future__ import annotations

from oca.admin.routes import RoutesPage, audit_lines, routes_lines, routes_page
from oca.common.routes import PathAttributes
from oca.network.bird_output import HeardRoute, RouteTable, Session
from oca.network.route_settings import RoutesTable
from oca.report.route_watch import RouteWatch

ISP = HeardRoute("isp", PathAttributes(as_path="64500 64501", local_pref=200, communities="64500:7"))
OWN = HeardRoute("isp", PathAttributes())


class NoBird:
    """Never asked."""

    def sessions(self) -> list[Session]:
        raise AssertionError

    def routes(self) -> RouteTable:
        raise AssertionError


def make_page(table: RouteTable, *, limit: int = 2, after: str = "", up: bool = True) -> RoutesPage:
    watch = RouteWatch(RoutesTable(), NoBird(), boot_id="b" * 32)
    state = "Established" if up else "Active"
    watch.hearing.see(
        [Session("isp", established=up, state=state, since="9" * up, neighbour_as="64500" * up, changes=())], 0
    )
    watch.hearing.take(table)
    watch.read_s = 0.5
    return routes_page(watch, socket="/run/bird/bird.ctl", after=after, limit=limit)


def test_page_shows_routes_from_where_asked() -> None:
    table = {"45.2.0.0/16": OWN, "45.1.0.0/16": ISP, "45.3.0.0/16": ISP}
    page = make_page(table)
    assert ([route.prefix for route in page.shown], page.next) == (["45.1.0.0/16", "45.2.0.0/16"], "45.2.0.0/16")
    rest = make_page(table, after=page.next)
    assert ([route.prefix for route in rest.shown], rest.next) == (["45.3.0.0/16"], "")
    assert list(routes_lines(page)) == [
        "3 routes from BIRD at /run/bird/bird.ctl; read in 0.50 s",
        "  session isp (AS64500): Established since 9, 3 routes",
        "  45.1.0.0/16              64500 64501  local-pref 200, origin IGP, MED 0, 64500:7",
        "  45.2.0.0/16              the ISP's own  local-pref 100, origin IGP, MED 0",
        "  and more after 45.2.0.0/16: --limit shows up to 10000",
    ]
    assert list(audit_lines(page)) == [
        "3 routes, nothing wrong with any of them; 'oca-steering routes audit' compares boxes"
    ]


def test_audit_tells_what_steers_nobody() -> None:
    page = make_page({**{f"10.{number}.0.0/16": ISP for number in range(7)}, "0.0.0.0/0": OWN, "odd": OWN}, up=False)
    assert list(audit_lines(page)) == [
        "BGP session isp is not established",
        "1 prefixes steer nobody, far too wide: shorter than /8: 0.0.0.0/0",
        "1 prefixes steer nobody, no prefix that is understood: odd",
        f"7 prefixes steer nobody, private space, 10.0.0.0/8: {', '.join(f'10.{n}.0.0/16' for n in range(5))}, …",
    ]
    lines = list(routes_lines(page))
    assert lines[1:3] == ["BGP session isp is not established", "  session isp (no neighbour): Active, 9 routes"]


def test_page_of_box_that_hears_nothing_says_so() -> None:
    page = routes_page(None, socket="", after="", limit=5)
    assert list(routes_lines(page)) == list(audit_lines(page)) == ["no routes are heard: [routes] bird_socket is empty"]


def test_lines_tell_what_is_kept_and_untold() -> None:
    page = RoutesPage(socket="s", why="", routes=5, kept=2, untold=3)
    assert next(routes_lines(page)) == (
        "5 routes from BIRD at s, 2 of them kept from sessions that are down, steering is yet to be told of 3; "
        "read in 0.00 s"
    )
