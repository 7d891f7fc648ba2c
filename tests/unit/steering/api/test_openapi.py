from __future__ import annotations

from typing import Any

from msgspec import Struct

from oca.common.messages import Name
from steering.api.endpoints import Endpoint, Query
from steering.api.openapi import document, open_path


class Answer(Struct):
    """What is told."""

    appliance: Name


def make(method: str, path: str, **changes: Any) -> Endpoint:
    plain = Endpoint(method, path, "handler", "Says it. At length.", None, None, 200, (), ())
    return plain._replace(**changes)


def operation(found: Endpoint) -> dict[str, Any]:
    whole = document([("parts", [found])], version="1.0")
    described: dict[str, Any] = whole["paths"][open_path(found.path)][found.method.lower()]
    return described


def refusals(found: dict[str, Any]) -> set[str]:
    return {status for status, answer in found["responses"].items() if "$ref" in answer}


def test_paths_lose_their_patterns() -> None:
    assert open_path("/v1/appliances/{appliance}/assets/{asset:.+}") == "/v1/appliances/{appliance}/assets/{asset}"


def test_operation_tells_what_was_declared() -> None:
    found = operation(make("GET", "/steer/{path:.*}", gives=Answer, query=(Query("title", "Which.", str, True),)))
    assert (found["operationId"], found["tags"], found["summary"]) == ("get_steer_path", ["parts"], "Says it")
    assert [(entry["name"], entry["in"], entry["required"]) for entry in found["parameters"]] == [
        ("path", "path", True),
        ("title", "query", True),
    ]
    assert found["responses"]["200"]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Answer"}
    assert (refusals(found), found["security"]) == ({"400", "417", "500"}, [{}])


def test_body_is_required_and_brings_its_refusals() -> None:
    found = operation(make("POST", "/v1/playback", takes=Answer, status=204, refuses=(404,)))
    assert found["requestBody"]["required"]
    assert refusals(found) == {"400", "404", "408", "413", "415", "417", "429", "500"}
    assert found["responses"]["204"] == {"description": "Done."}


def test_appliances_and_operators_show_who_they_are() -> None:
    box = operation(make("GET", "/v1/appliances/{appliance}/plan", gives="text/plain"))
    assert {"401", "403", "413"} <= refusals(box)
    assert [next(iter(entry), "") for entry in box["security"]] == ["applianceSignature", "applianceToken", ""]
    assert box["responses"]["200"]["content"] == {"text/plain": {"schema": {"type": "string"}}}
    person = operation(make("GET", "/", gives="application/json"))
    assert person["operationId"] == "get_page"
    assert "role read" in person["description"]
    assert [next(iter(entry)) for entry in person["security"]] == ["operatorToken", "operatorSession"]
    assert person["responses"]["200"]["content"]["application/json"]["schema"] == {"type": "object"}


def test_redirect_names_its_location() -> None:
    found = operation(make("GET", "/r/{path:.*}", status=302))
    assert found["responses"]["302"]["headers"]["Location"]["required"]


def test_patterns_are_those_of_json_schema() -> None:
    whole = document([("parts", [make("GET", "/a", gives=Answer)])], version="1.0")
    pattern = whole["components"]["schemas"]["Answer"]["properties"]["appliance"]["pattern"]
    assert (pattern[0], pattern[-1]) == ("^", "$")
    assert "\\A" not in str(whole)
    assert "\\Z" not in str(whole)
