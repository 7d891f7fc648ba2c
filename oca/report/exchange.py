"""Messages to steering and its answers: bounded, and with faults in words that an operator can act on.

The HTTP client is loaded when the first session is made: the daemon starts its workers before it needs one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from oca.common.box import SteeringTable
from oca.common.errors import ConfigError, SteeringError
from oca.common.identity import Credentials
from oca.common.instances import Instances
from oca.common.refusal import read_refusal
from oca.common.tracing import OFF, Tracing, asks

if TYPE_CHECKING:
    import aiohttp

ANSWER_BYTES_MAX = 64 * 1024


class _AwayError(SteeringError):
    """This instance cannot answer; another may."""


def new_session(timeout_s: float) -> aiohttp.ClientSession:
    """A client whose exchanges each take ``timeout_s`` in all at most."""
    import aiohttp  # noqa: PLC0415

    return aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=timeout_s))


class Exchange:
    """Carries the messages of one appliance."""

    def __init__(self, steering: SteeringTable, appliance: str, tracing: Tracing = OFF) -> None:
        """Make ready; what is asked inside a span of ``tracing`` is part of it.

        Raises:
            ConfigError: The token file or the identity cannot be used.
        """
        self.timeout_s = steering.timeout_s
        self._tracing = tracing
        self._credentials = Credentials(steering, appliance)
        self._instances = Instances(steering.urls)
        self._path = f"/v1/appliances/{appliance}"

    @property
    def url(self) -> str:
        """Of the instance in use."""
        return self._instances.url

    @property
    def known_by(self) -> Literal["key", "token", "address"]:
        """By what steering knows who asks."""
        return self._credentials.kind

    def url_of(self, what: str) -> str:
        """Where messages of that kind go."""
        return f"{self._instances.url}{self._path}/{what}"

    async def post(self, session: aiohttp.ClientSession, what: str, body: bytes) -> bytes:
        """Post a JSON message to the instance in use, or where that is away to the next; the body of the answer.

        Args:
            session: Bounds the whole exchange by its own timeout of ``timeout_s``.
            what: The endpoint: ``report`` or ``routes``.
            body: The message.

        Raises:
            SteeringError: Steering is away, refuses, or says too much; or the identity has become unusable.
        """
        away = _AwayError("no instance of steering is named", remedy="set [steering] url")
        for base in self._instances.each():
            try:
                return await self._post(session, f"{base}{self._path}/{what}", what, body)
            except _AwayError as error:
                away = error
        raise away

    async def _post(self, session: aiohttp.ClientSession, url: str, what: str, body: bytes) -> bytes:
        import aiohttp  # noqa: PLC0415

        from oca.common.unreachable import failure  # noqa: PLC0415

        try:
            proof = self._credentials.headers("POST", f"{self._path}/{what}", body)
            template = f"/v1/appliances/{{appliance}}/{what}"
            with self._tracing.child(f"POST {template}", asks("POST", url, template), kind="client") as span:
                headers = {"Content-Type": "application/json", **proof, **span.headers}
                async with session.post(url, data=body, headers=headers, allow_redirects=False) as response:
                    span.set({"http.response.status_code": response.status, "http.request.body.size": len(body)})
                    raw = await _read_bounded(response)
                    if response.status != 200:
                        raise _refused(response.status, raw)
        except ConfigError as error:
            raise SteeringError(error.message, remedy=error.remedy) from None
        except TimeoutError:
            raise _AwayError(
                f"{url}: no answer within {self.timeout_s:g} s", remedy="check that steering runs and can be reached"
            ) from None
        except aiohttp.ClientError as error:
            raise _AwayError(
                f"{url}: {failure(error) or type(error).__name__}",
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
    kind = _AwayError if status >= 500 else SteeringError
    return kind(
        f"steering answered {status} to the report" + (f": {refused.said}" if refused.said else ""),
        remedy=refused.remedy or _REMEDIES.get(status, "look at steering's log"),
    )


_REMEDIES: Mapping[int, str] = {
    401: "enrol this box with 'oca enrol', or put the token that steering expects into [steering] token_file",
    403: "put this appliance's id into steering.toml, or correct [appliance] id",
    404: "check [steering] url",
    413: "steering takes no report this large; upgrade it",
}
