"""Settings of what a request gets that is not served from the store: misses, and viewers who are turned away."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from oca.common.settings_schema import Table

OptionalUrl = Annotated[
    str,
    Meta(
        pattern=r"\A(https?://[A-Za-z0-9.:\[\]_-]{1,253}(/[A-Za-z0-9._~/-]{0,200})?)?\Z",
        extra={"form": "empty, or http:// or https://, a host, its port if need be, and a path if need be"},
    ),
]
PULLED_OPEN_MAX = 256
"""Fetched objects that a worker keeps open; a further one is opened again when it is asked for."""
Policy = Literal["not-found", "redirect", "fetch"]
Turn = Literal["not-found", "too-many", "redirect"]
"""What a viewer is answered who is turned away: 404, 429 with Retry-After, or a redirect to the fallback."""


class MissTable(Table, frozen=True):
    """What a request for an object gets that the box does not hold, or cannot read now."""

    policy: Annotated[
        Policy,
        Meta(
            description="What they get: not-found (404; players take their next URL at once), redirect (to "
            "fallback_url) or fetch (the object from origin_url, sent on as it arrives and kept for the next viewer).",
        ),
    ] = "not-found"
    fallback_url: Annotated[
        OptionalUrl,
        Meta(
            description="Where viewers are redirected to: this, then the path and query they asked for. The origin, "
            "another CDN, or steering's own http://steering.example/r, which goes on to the best box that has it."
        ),
    ] = ""
    redirect_status: Annotated[
        Literal[302, 307], Meta(description="Status of a redirect; players take either the same way.")
    ] = 302
    redirect_marker: Annotated[
        str,
        Meta(
            pattern=r"\A[A-Za-z0-9_-]{0,40}\Z",
            description="Put into the query of a redirect; a request that carries it is never redirected again, so "
            "that two boxes cannot send a viewer to and fro. Empty: none, where the fallback's signed URLs allow no "
            "more in their query.",
            extra={"form": "letters, digits, _ and -"},
        ),
    ] = "oca-redirected"
    redirect_token: Annotated[
        bool,
        Meta(
            description="Whether a redirect takes the token of a signed URL along: for a fallback that checks it, such "
            "as another box. The origin does not know it, and steering's /r makes one of its own."
        ),
    ] = False
    origin_url: Annotated[
        OptionalUrl,
        Meta(
            description="With policy fetch: where objects are fetched from, as this and their path. Its redirects are "
            "not followed. What it does not bring goes to fallback_url, or gets 404 where that is empty."
        ),
    ] = ""
    fetches_max: Annotated[
        int,
        Meta(
            ge=1,
            le=1000,
            description="Objects that a worker fetches at a time; a further miss is answered as if it lacked it.",
            extra={"unit": "objects"},
        ),
    ] = 32
    waiters_max: Annotated[
        int,
        Meta(
            ge=1,
            le=100_000,
            description="Viewers of a worker that wait for one object at a time; all of them cost one fetch.",
            extra={"unit": "viewers"},
        ),
    ] = 2000
    object_bytes_max: Annotated[
        int,
        Meta(ge=1, le=2**36, description="Largest object that is fetched.", extra={"unit": "bytes"}),
    ] = 2**28
    head_timeout_s: Annotated[
        float,
        Meta(
            gt=0,
            le=60,
            description="How long the origin may take to connect and begin its answer. Viewers wait in silence "
            "meanwhile, and dash.js never leaves a silent server.",
            extra={"unit": "seconds"},
        ),
    ] = 3.0
    stall_timeout_s: Annotated[
        float,
        Meta(gt=0, le=60, description="How long the origin may send nothing amid a body.", extra={"unit": "seconds"}),
    ] = 5.0
    origin_rate_bytes_per_s_min: Annotated[
        int,
        Meta(
            ge=0,
            le=2**40,
            description="An origin slower than this, from stall_timeout_s on, is given up; 0: none is too slow.",
            extra={"unit": "bytes per second"},
        ),
    ] = 65_536
    absent_s: Annotated[
        float,
        Meta(
            ge=0,
            le=3600,
            description="How long an object is not asked for again after the origin said 404 or 410.",
            extra={"unit": "seconds"},
        ),
    ] = 10.0
    fresh_s: Annotated[
        int,
        Meta(
            ge=0,
            le=2**31,
            description="How long an object is kept of which the origin does not say (Cache-Control); below 10, and "
            "where it says no-store, private or no-cache, it is sent on and not kept.",
            extra={"unit": "seconds"},
        ),
    ] = 86_400
    space_ratio: Annotated[
        float,
        Meta(
            ge=0,
            le=0.5,
            description="Share of each device's file system for fetched objects, the oldest of which make way; 0: "
            "none is kept.",
        ),
    ] = 0.02
    memory_bytes_max: Annotated[
        int,
        Meta(
            ge=0,
            le=2**36,
            description="Memory of a worker for objects on their way that no device takes, or that are not to be kept.",
            extra={"unit": "bytes"},
        ),
    ] = 2**26
    debug: Annotated[bool, Meta(description="Say in the Cache-Status of a miss why it is one (RFC 9211, detail).")] = (
        False
    )

    @property
    def descriptors(self) -> int:
        """What a worker holds open for fetching: fetched objects, those that come, and connections to the origin."""
        return PULLED_OPEN_MAX + 3 * self.fetches_max if self.policy == "fetch" else 0

    def __post_init__(self) -> None:
        """Refuse a policy without its address; the remedy follows the last semicolon."""
        if self.policy == "redirect" and not self.fallback_url:
            raise ValueError("policy redirect has nowhere to redirect to; set fallback_url")
        if self.policy == "fetch" and not self.origin_url:
            raise ValueError("policy fetch has no origin to fetch from; set origin_url")


class OverloadTable(Table, frozen=True):
    """When the box turns new viewers away for those it has; a connection that was answered once goes on."""

    sends_max: Annotated[
        int,
        Meta(
            ge=0,
            le=10_000_000,
            description="Responses on their way on the whole box, above which new viewers are turned away; 0: any "
            "number.",
            extra={"unit": "responses"},
        ),
    ] = 0
    rate_bytes_per_s_max: Annotated[
        int,
        Meta(
            ge=0,
            le=2**40,
            description="Bytes a second that the box sends, above which new viewers are turned away: some nine tenths "
            "of the link; 0: any rate.",
            extra={"unit": "bytes per second"},
        ),
    ] = 0
    answer: Annotated[
        Turn,
        Meta(
            description="What they get: too-many (429; players go to their next URL in 0.02 s, dash.js in 3 s), "
            "redirect (to [delivery.miss] fallback_url) or not-found (404)."
        ),
    ] = "too-many"
    retry_after_s: Annotated[
        int, Meta(ge=1, le=3600, description="Retry-After of a 429.", extra={"unit": "seconds"})
    ] = 5
