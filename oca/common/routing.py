"""Mounts the routes of our aiohttp services so that whatever is in an Expect header gets an answer.

aiohttp looks at Expect before any middleware, and fails where the header is no UTF-8; also where nothing is routed.
"""

from __future__ import annotations

from collections.abc import Iterable

from aiohttp import HttpVersion11, web

from oca.common.messages import Problem
from oca.common.problem import problem_response


def mount(app: web.Application, routes: Iterable[web.RouteDef]) -> None:
    """Add ``routes``, and one last that refuses what none of them takes."""
    for route in (*routes, web.route("*", r"/{path:[\s\S]*}", _unrouted)):
        expecting = {**route.kwargs, "expect_handler": _expect}
        app.add_routes([web.RouteDef(route.method, route.path, route.handler, expecting)])


async def _expect(request: web.Request) -> web.Response | None:
    """RFC 9110 §10.1.1: 100-continue is all there is to expect, and of no meaning in HTTP/1.0."""
    if request.version != HttpVersion11:
        return None
    if request.headers["Expect"].lower() != "100-continue":
        return problem_response(Problem(title="Only 100-continue may be expected", status=417))
    await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    request.writer.output_size = 0  # as aiohttp does: the answer itself has not begun
    return None


async def _unrouted(request: web.Request) -> web.Response:
    """What aiohttp answers where there is no such last route."""
    allowed: set[str] = set()
    for resource in request.app.router.resources():
        if resource is not request.match_info.route.resource:
            allowed |= (await resource.resolve(request))[1]
    raise web.HTTPMethodNotAllowed(request.method, allowed) if allowed else web.HTTPNotFound
