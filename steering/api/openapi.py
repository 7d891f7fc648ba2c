"""The OpenAPI 3.1 document of what is declared. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from oca.common.messages import Problem
from steering.api.endpoints import Endpoint
from steering.trust.gate import wanted_role
from steering.trust.rates import UNLIMITED

Schema = dict[str, Any]
_VARYING = re.compile(r"\{(\w+)(?::[^}]*)?\}")
_SCHEMAS = "#/components/schemas/{name}"
_TEXT = {"type": "string", "minLength": 1, "maxLength": 500}
_PATH_PARTS: dict[str, str] = {
    "appliance": "An appliance's id, as in steering.toml.",
    "site": "A site's id, as in steering.toml.",
    "title": "A title's id, as published.",
    "asset": "An asset: title/rendition. Its slash may be written as it is.",
    "path": "The path of a published object, without its leading slash; slashes may be written as they are.",
    "name": "A file of the page.",
}
_REFUSALS: dict[int, str] = {
    400: "Something in the request is not as agreed, `field` says what; or its first line is longer than 8190 bytes.",
    401: "Nobody known asks: no proof was shown, or it does not hold.",
    403: "Whoever asks may not, or the title's rights do not allow it.",
    404: "There is no such thing, or nobody can serve it now.",
    406: "Nothing of the title plays on this device.",
    408: "The body did not come in time.",
    409: "Something must be done first; `remedy` says what.",
    413: "The body is too large, or none is taken.",
    415: "The body is compressed, or not JSON.",
    417: "Only 100-continue may be expected.",
    429: "Too many requests from this address; wait as Retry-After says.",
    500: "A fault of steering's own, in its log.",
}
_SECURITY = {
    "operatorToken": {
        "type": "http",
        "scheme": "bearer",
        "description": "A token of 'oca-steering users token NAME'.",
    },
    "operatorSession": {
        "type": "apiKey",
        "in": "cookie",
        "name": "oca-steering",
        "description": "From POST /v1/login.",
    },
    "applianceSignature": {
        "type": "apiKey",
        "in": "header",
        "name": "Signature",
        "description": "RFC 9421, with the key of the enrolled appliance; Signature-Input beside it.",
    },
    "applianceToken": {"type": "http", "scheme": "bearer", "description": "The token of an appliance's token_file."},
}
PROBLEM = "application/problem+json"
_APPLIANCES = "/v1/appliances/"


def document(parts: Iterable[tuple[str, Sequence[Endpoint]]], *, version: str) -> Schema:
    """The document.

    Args:
        parts: What belongs together with its endpoints; the names become tags.
        version: Of the program.
    """
    tagged = [(tag, each) for tag, endpoints in parts for each in endpoints]
    kinds = [
        kind
        for _, each in tagged
        for kind in (each.takes, each.gives, *(query.kind for query in each.query))
        if kind is not None and not (isinstance(kind, str) and "/" in kind)
    ]
    schemas, components = msgspec.json.schema_components([*kinds, Problem], ref_template=_SCHEMAS)
    found: dict[Any, Schema] = dict(zip(map(_key, [*kinds, Problem]), schemas, strict=True))

    def schema_of(kind: Any) -> Schema:
        return found[_key(kind)]

    paths: dict[str, dict[str, Any]] = {}
    for tag, each in tagged:
        paths.setdefault(open_path(each.path), {})[each.method.lower()] = _operation(tag, each, schema_of)
    whole: Schema = _portable(
        {
            "openapi": "3.1.0",
            "info": {
                "title": "oca-steering",
                "version": version,
                "description": "Steers viewers to the nearest healthy appliance that holds what they watch. Refusals "
                "are problem details (RFC 9457); unknown fields are ignored; times are integer nanoseconds since "
                "1970, sizes bytes, rates bytes per second unless a name says otherwise.",
                "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            },
            "paths": paths,
            "components": {
                "schemas": components,
                "responses": {
                    f"refused-{status}": {"description": said, "content": {PROBLEM: {"schema": schema_of(Problem)}}}
                    for status, said in _REFUSALS.items()
                },
                "securitySchemes": _SECURITY,
            },
        }
    )
    return whole


def open_path(path: str) -> str:
    """A path as OpenAPI writes it: without patterns."""
    return _VARYING.sub(r"{\1}", path)


def _key(kind: Any) -> Any:
    return kind if isinstance(kind, type) else repr(kind)


def _operation(tag: str, each: Endpoint, schema_of: Callable[[Any], Schema]) -> Schema:
    role = wanted_role(each.method, each.path)
    said = {"description": each.meaning if role is None else f"{each.meaning} For operators with the role {role}."}
    parameters = [_path_parameter(name) for name in _VARYING.findall(each.path)]
    parameters += [
        {
            "name": query.name,
            "in": "query",
            "description": query.meaning,
            "required": query.required,
            "schema": schema_of(query.kind),
        }
        for query in each.query
    ]
    operation: dict[str, Any] = {
        "operationId": _operation_id(each),
        "tags": [tag],
        "summary": each.meaning.partition(". ")[0].rstrip("."),
        **said,
        **({"parameters": parameters} if parameters else {}),
    }
    if each.takes is not None:
        body = {"application/json": {"schema": schema_of(each.takes)}}
        operation["requestBody"] = {"required": True, "content": body}
    operation["responses"] = {
        str(each.status): _answer(each, schema_of),
        **{str(status): {"$ref": f"#/components/responses/refused-{status}"} for status in _refusals(each)},
    }
    operation["security"] = _security(each, open_to_anyone=role is None)
    return operation


def _operation_id(each: Endpoint) -> str:
    words = [word for word in re.split(r"[^a-z0-9]+", _VARYING.sub(r"\1", each.path).lower()) if word]
    return "_".join([each.method.lower(), *(words or ["page"])])


def _path_parameter(name: str) -> Schema:
    return {"name": name, "in": "path", "required": True, "description": _PATH_PARTS[name], "schema": _TEXT}


def _answer(each: Endpoint, schema_of: Callable[[Any], Schema]) -> Schema:
    if each.gives is None:
        said = "The answer is in the header fields." if each.status in (302, 307) else "Done."
        answer: dict[str, Any] = {"description": said}
        if each.status in (302, 307):
            answer["headers"] = {"Location": {"required": True, "schema": {"type": "string"}}}
        return answer
    if isinstance(each.gives, str):
        kind = "object" if each.gives.endswith("json") else "string"
        return {"description": each.meaning, "content": {each.gives: {"schema": {"type": kind}}}}
    return {"description": each.meaning, "content": {"application/json": {"schema": schema_of(each.gives)}}}


def _refusals(each: Endpoint) -> list[int]:
    """What a client may be told instead: by this endpoint, by the doors before it, and by HTTP."""
    role = wanted_role(each.method, each.path)
    statuses = {*each.refuses, 417, 500}
    if role is not None:
        statuses |= {401, 403}
    if each.path.startswith(_APPLIANCES):
        statuses |= {401, 403, 413}
    if each.query:
        statuses |= {400}
    if each.takes is not None:
        statuses |= {400, 408, 413, 415}
    if not each.path.startswith(UNLIMITED):
        statuses |= {429}
    return sorted(statuses)


def _security(each: Endpoint, *, open_to_anyone: bool) -> list[dict[str, list[str]]]:
    if each.path.startswith(_APPLIANCES):
        return [{"applianceSignature": []}, {"applianceToken": []}, {}]
    if open_to_anyone:
        return [{}]
    return [{"operatorToken": []}, {"operatorSession": []}]


def _portable(value: Any) -> Any:
    """With regular expressions as ECMA-262 writes them, which JSON Schema asks for."""
    if isinstance(value, dict):
        return {
            key: inner.replace(r"\A", "^").replace(r"\Z", "$")
            if key == "pattern" and isinstance(inner, str)
            else _portable(inner)
            for key, inner in value.items()
        }
    return [_portable(inner) for inner in value] if isinstance(value, list) else value
