"""One message to steering and its answer: bounded, and with faults in words that an operator can act on."""

from __future__ import annotations

import os
from collections.abc import Mapping

import aiohttp

from oca.common.errors import SteeringError
from oca.common.refusal import read_refusal

ANSWER_BYTES_MAX = 64 * 1024


async def post(session: aiohttp.ClientSession, url: str, body: bytes, *, token: str, timeout_s: float) -> bytes:
    """Post a JSON message; the body of the answer.

    Args:
        session: Bounds the whole exchange by its own timeout.
        url: Where to.
        body: The message.
        token: The appliance's, or an empty string.
        timeout_s: The session's timeout, for the message.

    Raises:
        SteeringError: Steering is away, refuses, or says too much.
    """
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    try:
        async with session.post(url, data=body, headers=headers, allow_redirects=False) as response:
            raw = await _read_bounded(response)
            if response.status != 200:
                raise _refused(response.status, raw)
    except TimeoutError:
        raise SteeringError(
            f"{url}: no answer within {timeout_s:g} s", remedy="check that steering runs and can be reached"
        ) from None
    except aiohttp.ClientError as error:
        told = isinstance(error, aiohttp.ClientConnectorError) and os.strerror(error.errno or 0)
        raise SteeringError(
            f"{url}: {told or error or type(error).__name__}",
            remedy="check [steering] url, and that steering runs and can be reached",
        ) from None
    return raw


async def _read_bounded(response: aiohttp.ClientResponse) -> bytes:
    raw = bytearray()
    async for chunk in response.content.iter_any():
        raw += chunk
        if len(raw) > ANSWER_BYTES_MAX:
            raise SteeringError(
                f"steering's answer is larger than {ANSWER_BYTES_MAX} bytes",
                remedy="check that [steering] url is right",
            )
    return bytes(raw)


def _refused(status: int, raw: bytes) -> SteeringError:
    refused = read_refusal(raw)
    return SteeringError(
        f"steering answered {status} to the report" + (f": {refused.said}" if refused.said else ""),
        remedy=refused.remedy or _REMEDIES.get(status, "look at steering's log"),
    )


_REMEDIES: Mapping[int, str] = {
    401: "put the token that steering expects into [steering] token_file",
    403: "enrol this appliance's id in steering.toml, or correct [appliance] id and [steering] token_file",
    404: "check [steering] url",
    413: "steering takes no report this large; upgrade it",
}
