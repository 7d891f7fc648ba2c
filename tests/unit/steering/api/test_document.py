from __future__ import annotations

import json
import re

from steering.api.document import PARTS, document_text
from steering.api.endpoints import declared
from tests.unit.steering.api_client import Steering


def documented() -> set[tuple[str, str]]:
    paths = json.loads(document_text())["paths"]
    return {(method.upper(), path) for path, operations in paths.items() for method in operations}


def mounted(steering: Steering) -> set[tuple[str, str]]:
    """What the application routes; HEAD goes with GET, and the last route takes what none of them does."""
    found = set()
    for route in steering.service.app.router.routes():
        assert route.resource is not None
        found.add((route.method, route.resource.canonical))
    return {(method, path) for method, path in found if method not in ("HEAD", "*")}


async def test_document_names_every_route_and_no_other(steering: Steering) -> None:
    assert mounted(steering) == documented()
    assert len(documented()) > 20


async def test_document_is_served_to_anyone(steering: Steering) -> None:
    async with steering.client.get("/openapi.json", headers={"X-Forwarded-For": "203.0.113.9"}) as response:
        assert (response.status, response.content_type) == (200, "application/json")
        assert await response.read() == document_text()


def test_document_has_one_id_for_each_operation() -> None:
    paths = json.loads(document_text())["paths"]
    ids = [operation["operationId"] for operations in paths.values() for operation in operations.values()]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[a-z0-9_]+", name) for name in ids)


def test_document_refers_to_nothing_that_is_not_there() -> None:
    text = document_text().decode()
    whole = json.loads(text)
    for reference in set(re.findall(r'"\$ref": "#/([^"]+)"', text)):
        place = whole
        for step in reference.split("/"):
            place = place[step]


def test_endpoints_each_say_what_they_are_for() -> None:
    mute = [found.path for _, parts in PARTS for part in parts for found in declared(part) if not found.meaning]
    assert mute == []
