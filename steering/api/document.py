"""The OpenAPI document of this service, and the endpoint that serves it."""

from __future__ import annotations

import msgspec
from aiohttp import web

from oca import __version__
from steering.api.app import Views
from steering.api.appliances import Appliances
from steering.api.drains import Drains
from steering.api.endpoints import declared, endpoint
from steering.api.observers import Observers
from steering.api.openapi import document
from steering.api.page import Page
from steering.api.routes import Routes
from steering.console.api import Console
from steering.console.api_plans import Plans
from steering.players.api import Players
from steering.trust.api_enrol import Enrolment
from steering.trust.api_operators import Operators


class ApiDocument:
    """Serves the document of everything, itself included."""

    def __init__(self) -> None:
        self._body = document_text()

    @endpoint("GET", "/openapi.json", gives="application/json")
    async def openapi(self, request: web.Request) -> web.Response:
        """This document."""
        del request
        headers = {"Content-Type": "application/json", "Cache-Control": "no-cache"}
        return web.Response(body=self._body, headers=headers)


PARTS: tuple[tuple[str, tuple[type, ...]], ...] = (
    ("players and services", (Players,)),
    ("fleet and catalogue", (Views, Observers, Drains, Routes)),
    ("console", (Console, Plans)),
    ("appliances", (Appliances, Enrolment)),
    ("operators", (Operators,)),
    ("page and document", (Page, ApiDocument)),
)
"""Every part of the application; a test holds that these are all."""


def document_text() -> bytes:
    """The document as JSON, indented."""
    parts = [(tag, [each for part in parts for each in declared(part)]) for tag, parts in PARTS]
    return msgspec.json.format(msgspec.json.encode(document(parts, version=__version__)), indent=1) + b"\n"
