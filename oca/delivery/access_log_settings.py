"""Settings of the access log, one table."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from oca.common.settings import Table


class AccessLogTable(Table, frozen=True):
    """One line per request. Off until a file is named: who watched what is personal data, even without names."""

    path: Annotated[
        str,
        Meta(
            pattern=r"\A(|-|/[^\0]{1,4000})\Z",
            description="File that all workers append to, - for standard output, empty for no log. Rename it, then "
            "send SIGHUP to the daemon: it opens a new one. copytruncate works, too.",
            extra={"form": "an absolute path, - or empty"},
        ),
    ] = ""
    format: Annotated[
        Literal["json", "combined"],
        Meta(description="JSON lines with every field, or the combined format of Apache and nginx, which tools know."),
    ] = "json"
    sample: Annotated[
        float,
        Meta(
            ge=0,
            le=1,
            description="Share of connections that are logged, each with all of its requests; a share of requests "
            "would leave no viewer's story whole.",
            extra={"unit": "share"},
        ),
    ] = 1.0
    errors: Annotated[
        bool,
        Meta(description="Whether to log requests that end in an error or a cut also on the other connections."),
    ] = True
    client: Annotated[
        Literal["truncated", "whole", "none"],
        Meta(description="How clients are shown: by their IPv4 /24 or IPv6 /48, by their address, or not at all."),
    ] = "truncated"
    waiting_bytes_max: Annotated[
        int,
        Meta(
            ge=65536,
            le=2**30,
            description="Most that a worker holds for a disk that is slow; lines beyond are lost and counted.",
            extra={"unit": "bytes"},
        ),
    ] = 4 * 2**20
