"""RFC 9457 problem details for our aiohttp services, and the door at which JSON bodies are checked."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

import msgspec
from aiohttp import web

from oca.common.errors import OcaError
from oca.common.http_signature import DIGEST_HEADER, digest_fault
from oca.common.log import get_logger
from oca.common.messages import Problem

BODY_S_MAX = 30.0
Body = TypeVar("Body")
_log = get_logger("api")
_encode = msgspec.json.Encoder().encode


class Refusal(Exception):  # noqa: N818 - an answer, not a fault
    """Ends a request with problem details; raised only inside request handlers."""

    def __init__(
        self,
        status: int,
        title: str,
        *,
        detail: str = "",
        field: str = "",
        remedy: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(title)
        self.headers = headers
        self.problem = Problem(title=title, status=status, detail=detail, field=field, remedy=remedy)


def json_response(value: object, *, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """``value`` as JSON by msgspec."""
    return web.Response(
        body=_encode(value), status=status, headers={"Content-Type": "application/json", **(headers or {})}
    )


def problem_response(problem: Problem, headers: Mapping[str, str] | None = None) -> web.Response:
    """``problem`` with its status and media type; for no cache, which may keep a 404 or 405 (RFC 9110 §15.1)."""
    return web.Response(
        body=_encode(problem),
        status=problem.status,
        content_type="application/problem+json",
        headers={"Cache-Control": "no-store", **(headers or {})},
    )


async def read_body(request: web.Request, decoder: msgspec.json.Decoder[Body], *, bytes_max: int) -> Body:
    """The request's JSON body, typed; of ``bytes_max`` bytes at most, however it is sent.

    Raises:
        Refusal: 400, with the path of the field that is missing or wrong; or why the body is not read.
    """
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":  # a kilobyte inflates to a megabyte
        raise Refusal(415, "Compressed bodies are not taken", remedy="send the body as it is, without Content-Encoding")
    raw: bytes | bytearray
    try:
        if request.content.is_eof() and request.content.total_bytes <= bytes_max:
            raw = request.content.read_nowait()  # all of it is here: most bodies are small
        else:
            async with asyncio.timeout(BODY_S_MAX):
                raw = await _read(request, bytes_max)
    except TimeoutError:
        raise Refusal(408, f"The body did not come within {BODY_S_MAX:g} s") from None
    except (web.RequestPayloadError, ConnectionError) as error:
        raise Refusal(400, "The body was cut short or is not framed as HTTP asks", detail=str(error)[:200]) from None
    if (said := request.headers.get(DIGEST_HEADER)) is not None and (fault := digest_fault(said, raw)):
        raise Refusal(400, fault, remedy="send the body unchanged, with a sha-256 digest (RFC 9530)")
    return decoded(raw, decoder)


def decoded(raw: bytes | bytearray | msgspec.Raw, decoder: msgspec.json.Decoder[Body]) -> Body:
    """JSON, typed.

    Raises:
        Refusal: 400, with the path of the field that is missing or wrong.
    """
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError as error:
        detail, _, place = str(error).partition(" - at `")
        raise Refusal(400, "The message is not as agreed", detail=detail, field=place.rstrip("`") or "$") from None
    except msgspec.DecodeError as error:
        raise Refusal(400, "The body is not JSON", detail=str(error)) from None


async def _read(request: web.Request, bytes_max: int) -> bytes | bytearray:
    raw = bytearray()
    if (request.content_length or 0) <= bytes_max:
        async for part in request.content.iter_any():
            raw += part
            if len(raw) > bytes_max:
                break
        else:
            return raw
    raise Refusal(413, f"The body is larger than {bytes_max} bytes")


@web.middleware
async def problems(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Turn every refusal and failure into problem details; nothing internal leaks out."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        allowed = error.headers.get("Allow")  # RFC 9110 §15.5.6
        return problem_response(Problem(title=error.reason, status=error.status), {"Allow": allowed} if allowed else {})
    except Exception as error:  # noqa: BLE001 - the seam: whatever went wrong becomes problem details
        return problem_response(*problem_of(error, request.path))


def problem_of(error: Exception, path: str) -> tuple[Problem, Mapping[str, str]]:
    """The answer, and header fields that go with it, where a handler of ``path`` has raised; our faults are logged."""
    if isinstance(error, Refusal):
        return error.problem, error.headers or {}
    if isinstance(error, OcaError):
        _log.error("request failed", path=path, error=error.message, remedy=error.remedy)
        status = 400 if error.source == "client" else 500
        return Problem(title=error.message, status=status, remedy=error.remedy), {}
    _log.error("request failed", path=path, exc_info=error)
    remedy = "look at this service's log and report the fault"
    return Problem(title="Internal fault", status=500, remedy=remedy), {}
