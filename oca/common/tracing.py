"""Traces as the rest of the code sees them: spans that do nothing, unless settings name a collector.

``oca.common.tracer`` has those that do something and is loaded only then; it alone knows OpenTelemetry. No span carries
a viewer's address, nor a query, which may hold one.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Literal
from urllib.parse import urlsplit

from oca.common.errors import ConfigError
from oca.common.token import read_token
from oca.common.tracing_settings import TracingTable

TRACEPARENT = "traceparent"
"""W3C Trace Context, sent with requests between our programs."""
TRACERESPONSE = "traceresponse"
"""The same in an answer (W3C Trace Context, level 2): the span that who asked is to go on from."""
TRACEPARENT_CHARACTERS = 55
Value = str | int | float | bool
Kind = Literal["internal", "client", "server"]


class Span:
    """One that is not recorded: whatever is done to it has no effect."""

    @property
    def traceparent(self) -> str:
        """What others need to join it; empty where it is not recorded."""
        return ""

    @property
    def headers(self) -> dict[str, str]:
        """The same as the header of a request; none where it is not recorded."""
        return {TRACEPARENT: found} if (found := self.traceparent) else {}

    def set(self, attributes: Mapping[str, Value]) -> None:
        """Say more of it; long text is cut."""

    def event(self, name: str, attributes: Mapping[str, Value]) -> None:
        """Something happened now; of many the last are kept."""

    def fail(self, why: str) -> None:
        """What it stands for went wrong."""

    def forget(self) -> None:
        """Never tell of it."""

    def __enter__(self) -> Span:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it; an error that passes by marks it as failed."""


class Tracing:
    """None: spans are begun, and none is recorded."""

    is_on = False

    def samples(self) -> bool:
        """Whether what is frequent and begins now is recorded: of each hundred one, say, and evenly so."""
        return False

    def root(
        self,
        name: str,
        attributes: Mapping[str, Value],
        *,
        kind: Kind = "internal",
        parent: str = "",
        link: str = "",
        began_at_ns: int | None = None,
    ) -> Span:
        """A span on its own, or below ``parent``, a traceparent; inside ``with`` it is the current one.

        Args:
            name: Of few values: no id is part of it.
            attributes: What is known of it by now.
            kind: ``client`` asks another program, ``server`` answers one.
            parent: One that says not recorded, or that is none of the form, leaves it unrecorded or on its own.
            link: Another span that led to it.
            began_at_ns: Wall clock; None: now.
        """
        del name, attributes, kind, parent, link, began_at_ns
        return NOTHING

    def child(
        self,
        name: str,
        attributes: Mapping[str, Value],
        *,
        kind: Kind = "internal",
        link: str = "",
        began_at_ns: int | None = None,
    ) -> Span:
        """A span below the current one, as in ``root``; without a current one, nothing."""
        del name, attributes, kind, link, began_at_ns
        return NOTHING

    def quiet(self) -> Span:
        """Inside ``with``, nothing is current: what is done there is not recorded."""
        return NOTHING

    def current(self) -> str:
        """The traceparent of the current span; empty: there is none."""
        return ""

    def counts(self) -> Mapping[str, int]:
        """The values of ``TRACING``."""
        return {}

    def close(self) -> None:
        """Tell what is left, for a moment at most."""


NOTHING = Span()
OFF = Tracing()


def open_tracing(table: TracingTable, program: str, *, instance: str) -> Tracing:
    """Traces as the settings want them.

    Args:
        table: The settings.
        program: Who traces: service.name where the settings give none.
        instance: Which of them.

    Raises:
        ConfigError: The token or the certificates cannot be read, or OpenTelemetry is not installed.
    """
    if not table.endpoint:
        return OFF
    token = read_token(table.token_file, setting="tracing.token_file")
    try:
        from oca.common.tracer import Tracer  # noqa: PLC0415 - a program that traces nothing loads nothing of it
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"tracing.endpoint = {table.endpoint!r}: the Python package {error.name} is not installed",
            remedy="install open-appliance with its extra: pip install 'open-appliance[tracing]'; or leave it empty",
        ) from None
    return Tracer.over_http(table, token, program=program, instance=instance)


def asks(method: str, url: str, template: str) -> dict[str, Value]:
    """The attributes of a client's span: OpenTelemetry's semantic conventions for HTTP.

    Args:
        method: As sent.
        url: The whole, without a query.
        template: Its path, with a name for each part that is one of many.
    """
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return {
        "http.request.method": method,
        "url.full": url,
        "url.template": template,
        "server.address": parts.hostname or "",
        "server.port": port,
    }
