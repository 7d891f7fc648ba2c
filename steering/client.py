"""Asks the running service, for the commands that need what only it knows: the fleet."""

from __future__ import annotations

import asyncio
import os
from typing import TypeVar

import aiohttp
import msgspec

from oca.common.errors import SteeringError
from oca.common.messages import Problem
from steering.answer import Explanation
from steering.route_audit import AuditView
from steering.settings import ApiTable

ANSWER_BYTES_MAX = 16 * 2**20
TIMEOUT_S = 10.0
TOKEN_VARIABLE = "OCASTEERING_TOKEN"  # noqa: S105 - its name
_problems = msgspec.json.Decoder(Problem)
Answer = TypeVar("Answer")


def ask_explanation(api: ApiTable, *, title: str, client: str) -> Explanation:
    """``GET /v1/explain`` of the service that listens as ``api`` says.

    Raises:
        SteeringError: It does not answer, or refuses.
    """
    return _ask(api, "/v1/explain", {"title": title, "client": client}, Explanation)


def ask_route_audit(api: ApiTable) -> AuditView:
    """``GET /v1/routes/audit``.

    Raises:
        SteeringError: It does not answer, or refuses.
    """
    return _ask(api, "/v1/routes/audit", {}, AuditView)


def _ask(api: ApiTable, path: str, query: dict[str, str], kind: type[Answer]) -> Answer:
    return asyncio.run(_get(f"http://{api.listen}{path}", query, msgspec.json.Decoder(kind)))


async def _get(url: str, query: dict[str, str], decoder: msgspec.json.Decoder[Answer]) -> Answer:
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT_S)) as session,
            session.get(
                url, params={name: value for name, value in query.items() if value}, headers=_proof()
            ) as response,
        ):
            body = await response.content.read(ANSWER_BYTES_MAX)
            if response.status != 200:
                problem = _problems.decode(body)
                why = f"{problem.title}: {problem.detail}" if problem.detail else problem.title
                raise SteeringError(
                    f"steering answered {response.status}: {why}", remedy=problem.remedy or "correct it"
                )
            return decoder.decode(body)
    except (aiohttp.ClientError, TimeoutError) as error:
        reason = str(error) or f"no answer within {TIMEOUT_S:.0f} s"
        raise SteeringError(
            f"{url} cannot be reached: {reason}", remedy="start oca-steering serve, or name its --config"
        ) from None
    except msgspec.DecodeError:
        raise SteeringError(f"{url} is not steering", remedy="check [api] listen") from None


def _proof() -> dict[str, str]:
    """The operator's token, where logins are asked of everybody; in the environment, for other users see arguments."""
    token = os.environ.get(TOKEN_VARIABLE, "")
    return {"Authorization": f"Bearer {token}"} if token else {}
