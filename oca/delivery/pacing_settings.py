"""Settings of what is made of what players tell (CMCD). Pure."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from oca.common.settings_schema import Table

MBITS_PER_S_MAX = 10_000


class PacingTable(Table, frozen=True):
    """How fast a connection may send: no faster than its player needs, so that bursts do not fill the access line."""

    mode: Annotated[
        Literal["off", "cmcd", "always"],
        Meta(
            description="How fast connections send. off: as TCP allows. cmcd: as each player asks for (CMCD rtp). "
            "always: as it asks for, and default_mbits_per_s where it asks for nothing."
        ),
    ] = "off"
    default_mbits_per_s: Annotated[
        float,
        Meta(
            ge=0.1,
            le=MBITS_PER_S_MAX,
            description="Pace of connections that tell nothing, in mode always; some four times the highest bitrate.",
            extra={"unit": "Mbit/s"},
        ),
    ] = 40.0
    floor_mbits_per_s: Annotated[
        float,
        Meta(
            ge=0.1,
            le=MBITS_PER_S_MAX,
            description="No connection is paced below this, whatever its player asks for.",
            extra={"unit": "Mbit/s"},
        ),
    ] = 2.0
    ceiling_mbits_per_s: Annotated[
        float,
        Meta(
            ge=0.1,
            le=MBITS_PER_S_MAX,
            description="No connection is paced above this, whatever its player asks for.",
            extra={"unit": "Mbit/s"},
        ),
    ] = 200.0
    factor: Annotated[
        float,
        Meta(
            ge=0.5,
            le=20,
            description="Pace over what the player asks for; players have put some five times the bitrate into it.",
        ),
    ] = 1.0
    burst_bytes: Annotated[
        int,
        Meta(
            ge=0,
            le=2**30,
            description="The first bytes of a connection go at the burst pace, for a quick start.",
            extra={"unit": "bytes"},
        ),
    ] = 2**20
    burst_mbits_per_s: Annotated[
        float,
        Meta(
            ge=0,
            le=MBITS_PER_S_MAX,
            description="Burst pace: a connection's first bytes, and what a player needs at once (CMCD su, bs); "
            "0: not paced.",
            extra={"unit": "Mbit/s"},
        ),
    ] = 0.0
    change_min_ratio: Annotated[
        float,
        Meta(
            ge=0,
            le=1,
            description="Changes of pace smaller than this share of it are left undone: each is a system call.",
        ),
    ] = 0.1

    def __post_init__(self) -> None:
        """Refuse bounds that cross."""
        if self.floor_mbits_per_s > self.ceiling_mbits_per_s:
            raise ValueError(
                f"floor_mbits_per_s = {self.floor_mbits_per_s} is above ceiling_mbits_per_s = "
                f"{self.ceiling_mbits_per_s}; lower the floor or raise the ceiling"
            )


class CmcdTable(Table, frozen=True):
    """What is made of what players tell with their requests (CMCD, CTA-5004), beside pacing."""

    quality: Annotated[
        bool,
        Meta(
            description="Sum up what viewers have, per asset and client prefix, for 'oca quality' and /v1/quality: "
            "starved buffers, throughput, bitrate. No session or address is kept."
        ),
    ] = False
