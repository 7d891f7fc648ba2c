"""``/v1/observers``: what each instance has seen of the fleet for itself, and whether it votes."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web

from oca.common.problem import json_response
from steering.api.endpoints import endpoint
from steering.probing.views import ObserversView, ObserverView


class Observers:
    """Shows the observers to operators."""

    def __init__(self, observers: Callable[[], list[ObserverView]]) -> None:
        self._observers = observers

    @endpoint("GET", "/v1/observers", gives=ObserversView)
    async def observers(self, request: web.Request) -> web.Response:
        """What each instance has seen of the fleet for itself, and whether it votes on who is out."""
        del request
        return json_response(ObserversView(self._observers()), headers={"Cache-Control": "no-store"})
