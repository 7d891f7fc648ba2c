"""The agent's side of steering's API: the plan, each asset's manifest, and progress; checked at the door."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import aiohttp
import msgspec
from yarl import URL

from fill.http import read_body
from oca.common.errors import ConfigError, SteeringError
from oca.common.identity import Credentials
from oca.common.instances import Instances
from oca.common.log import get_logger
from oca.common.messages import AssetManifest, FillPlan, FillProgress
from oca.common.refusal import PROBLEM_BYTES_MAX, read_refusal
from oca.common.tracing import OFF, TRACERESPONSE, Span, Tracing, asks
from oca.common.unreachable import failure

ANSWER_BYTES_MAX = 256 * 2**20
ASK_TIMEOUT_S = 60.0
PROGRESS_TIMEOUT_S = 5.0
_log = get_logger("steering")
_encode = msgspec.json.Encoder().encode
_plans = msgspec.json.Decoder(FillPlan)
_manifests = msgspec.json.Decoder(AssetManifest)
Answer = TypeVar("Answer")


class SteeringRefusalError(SteeringError):
    """Steering answered, and the answer is no; asking again will not change it."""


class SteeringClient:
    """Talks to steering for one appliance."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        urls: Sequence[str],
        *,
        appliance: str,
        credentials: Credentials,
        tracing: Tracing = OFF,
    ) -> None:
        """``urls`` are of instances of one steering, at least one: another is asked where one is away.

        What is asked inside a span of ``tracing`` is part of it.
        """
        self.planned_in = ""
        """The trace of the plan that was asked for last, as steering named it: what carries the plan out joins it."""
        self._tracing = tracing
        self._session = session
        self._instances = Instances(urls)
        self._appliance = appliance
        self._credentials = credentials
        self._heard = True

    async def plan(self) -> FillPlan:
        """What this appliance should hold.

        Raises:
            SteeringError: Steering cannot be reached, or refuses, or its answer is not as agreed.
        """
        plan = await self._ask("fill-plan", "fill-plan", _plans)
        if plan.appliance != self._appliance:
            raise SteeringRefusalError(
                f"steering sent the plan of {plan.appliance} to {self._appliance}", remedy="report this as a fault"
            )
        return plan

    async def manifest(self, asset: str) -> AssetManifest:
        """An asset's objects, and its sources as they rank now.

        Raises:
            SteeringError: Steering cannot be reached, or refuses, or its answer is not as agreed.
        """
        manifest = await self._ask(f"assets/{asset}", "assets/{asset}", _manifests)
        if manifest.asset != asset:
            raise SteeringRefusalError(
                f"steering sent the manifest of {manifest.asset} for {asset}", remedy="report this as a fault"
            )
        return manifest

    async def report(self, progress: FillProgress) -> None:
        """Tell steering how the fill goes. Never fails: a fill goes on without; a change of fortune is logged once."""
        body, heard, why = _encode(progress), False, ""
        for base in self._instances.each():
            heard, why = await self._told(base, body)
            if heard:
                break
        if heard != self._heard:
            self._heard = heard
            if heard:
                _log.info("steering takes progress again", url=self._instances.url)
            else:
                _log.warning("steering does not take progress; the fill goes on", url=self._instances.url, why=why)

    async def _told(self, base: str, body: bytes) -> tuple[bool, str]:
        """Whether an instance took the progress, and why not."""
        try:
            async with self._session.post(
                self._endpoint(base, "fill-progress"),
                data=body,
                headers={**self._headers("POST", "fill-progress", body), "Content-Type": "application/json"},
                timeout=aiohttp.ClientTimeout(total=PROGRESS_TIMEOUT_S),
                allow_redirects=False,
            ) as response:
                return response.status < 300, f"it answers {response.status}"
        except ConfigError as error:
            return False, str(error)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return False, failure(error) or f"no answer in {PROGRESS_TIMEOUT_S:g} s"

    async def _ask(self, what: str, template: str, decoder: msgspec.json.Decoder[Answer]) -> Answer:
        away = SteeringError("no instance of steering is named", remedy="set steering.url in appliance.toml")
        for base in self._instances.each():
            try:
                name = f"GET /v1/appliances/{{appliance}}/{template}"
                attributes = asks("GET", base + self._path(what), name.removeprefix("GET "))
                with self._tracing.child(name, attributes, kind="client") as span:
                    return await self._ask_one(base, what, decoder, span)
            except SteeringRefusalError:
                raise
            except SteeringError as error:
                away = error
        raise away

    async def _ask_one(self, base: str, what: str, decoder: msgspec.json.Decoder[Answer], span: Span) -> Answer:
        timeout = aiohttp.ClientTimeout(total=ASK_TIMEOUT_S)
        headers = self._headers("GET", what) | span.headers
        try:
            async with self._session.get(
                self._endpoint(base, what), headers=headers, timeout=timeout, allow_redirects=False
            ) as response:
                span.set({"http.response.status_code": response.status})
                self.planned_in = response.headers.get(TRACERESPONSE, self.planned_in)
                if response.status != 200:
                    raise await self._refused(base, what, response)
                body = await read_body(response, ANSWER_BYTES_MAX)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            why = failure(error) or f"no answer in {ASK_TIMEOUT_S:g} s"
            raise SteeringError(
                f"steering at {base} cannot be reached: {why}",
                remedy="check that it runs and that steering.url in appliance.toml is right",
            ) from None
        if body is None:
            raise SteeringRefusalError(
                f"{what} is larger than {ANSWER_BYTES_MAX} bytes", remedy="make the plan smaller"
            )
        try:
            return decoder.decode(body)
        except msgspec.DecodeError as error:
            raise SteeringRefusalError(
                f"steering's answer to {what} is not as agreed: {error}",
                remedy="check that steering and this agent are of versions that fit",
            ) from None

    async def _refused(self, base: str, what: str, response: aiohttp.ClientResponse) -> SteeringError:
        refused = read_refusal(bytes(await read_body(response, PROBLEM_BYTES_MAX) or b""))
        message = f"steering at {base} answers {response.status} to {what}"
        message += f": {refused.said}" if refused.said else ""
        if response.status in (401, 403):
            remedy = (
                f"check that steering knows appliance {self._appliance}, and enrol it with 'oca enrol' or check its "
                "steering.token_file"
            )
        elif response.status >= 500:
            return SteeringError(message, remedy=refused.remedy or "see steering's log")
        else:
            remedy = "check steering.url in appliance.toml"
        return SteeringRefusalError(message, remedy=refused.remedy or remedy)

    def _endpoint(self, base: str, what: str) -> URL:
        return URL(base + self._path(what), encoded=True)

    def _path(self, what: str) -> str:
        return f"/v1/appliances/{self._appliance}/{what}"

    def _headers(self, method: str, what: str, body: bytes = b"") -> dict[str, str]:
        return {"Accept-Encoding": "identity"} | self._credentials.headers(method, self._path(what), body)
