"""Asks the running service, for the commands that need what only it knows: the fleet."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from oca.common.errors import SteeringError
from steering.api.client import RefusedError, SteeringClient
from steering.api.messages import Explanation, FleetView
from steering.probing.views import ObserversView
from steering.routes.audit import AuditView
from steering.settings import ApiTable

TOKEN_VARIABLE = "OCASTEERING_TOKEN"  # noqa: S105 - its name
Answer = TypeVar("Answer")


def ask_explanation(api: ApiTable, *, title: str, client: str) -> Explanation:
    """``GET /v1/explain`` of the service that listens as ``api`` says.

    Raises:
        SteeringError: It does not answer, or refuses.
    """
    return _ask(api, lambda steering: steering.explain(title, client=client))


def ask_route_audit(api: ApiTable) -> AuditView:
    """``GET /v1/routes/audit``.

    Raises:
        SteeringError: It does not answer, or refuses.
    """
    return _ask(api, lambda steering: steering.route_audit())


def ask_fleet(api: ApiTable) -> tuple[FleetView, ObserversView]:
    """``GET /v1/fleet`` and ``GET /v1/observers``.

    Raises:
        SteeringError: It does not answer, or refuses.
    """

    async def both(steering: SteeringClient) -> tuple[FleetView, ObserversView]:
        return await steering.fleet(), await steering.observers()

    return _ask(api, both)


def ask_boxes(api: ApiTable, titles: Sequence[str]) -> dict[str, int]:
    """On how many boxes anything of each title lies, by ``GET /v1/catalogue/{title}``.

    Raises:
        SteeringError: It does not answer, refuses, or knows none of such a name.
    """

    async def each(steering: SteeringClient) -> dict[str, int]:
        rows = [(await steering.copies(name)).row for name in titles]
        return {row.title: row.whole + row.partly + row.outdated for row in rows}

    return _ask(api, each)


def _ask(api: ApiTable, question: Callable[[SteeringClient], Awaitable[Answer]]) -> Answer:
    """With the operator's token, where logins are asked of all; in the environment, for other users see arguments."""
    token = os.environ.get(TOKEN_VARIABLE, "")
    if not (token.isascii() and token.isprintable()):
        raise SteeringError(
            f"{TOKEN_VARIABLE} in the environment is no token",
            remedy="put one into it as 'oca-steering users token' printed it",
        )

    async def ask() -> Answer:
        async with SteeringClient(f"http://{api.listen}", token=token) as steering:
            return await question(steering)

    try:
        return asyncio.run(ask())
    except RefusedError as error:
        if error.problem.status != 401:
            raise
        raise SteeringError(
            error.message, remedy=f"put a token of 'oca-steering users token' into {TOKEN_VARIABLE}"
        ) from None
