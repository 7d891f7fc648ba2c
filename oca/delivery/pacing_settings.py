"""Settings of what players tell (CMCD), what is made of it, and what they are told (CMSD). Pure."""

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

    congestion: Annotated[
        str,
        Meta(
            pattern=r"\A[a-z0-9_]{0,15}\Z",
            description='Congestion control of viewers\' connections, such as "bbr" or "cubic"; empty, and where the '
            "kernel lacks it: the kernel's own.",
            extra={"form": "a name as in net.ipv4.tcp_available_congestion_control, or empty"},
        ),
    ] = ""
    notsent_bytes_max: Annotated[
        int,
        Meta(
            ge=0,
            le=2**30,
            description="Most bytes that lie unsent in a connection's socket (TCP_NOTSENT_LOWAT): less memory in the "
            "kernel, more wake-ups; 131072 is a good value where memory is short. 0: the kernel's own.",
            extra={"unit": "bytes"},
        ),
    ] = 0

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
    next_object: Annotated[
        bool,
        Meta(
            description="Read the object that a player says it asks for next (nor, nrr) from its device before it does."
        ),
    ] = False


class CmsdTable(Table, frozen=True):
    """What players are told with each answer (CMSD-Dynamic, CTA-5006), so that they choose what this box can send."""

    enabled: Annotated[
        bool,
        Meta(
            description="Tell players the throughput and round trip that TCP knows of (etp, rtt), and a bitrate to "
            "stay below when the box gets full (mb, du)."
        ),
    ] = False
    refresh_s: Annotated[
        float,
        Meta(
            ge=1,
            le=60,
            description="How often a connection's figures are read anew, while it is in use.",
            extra={"unit": "seconds"},
        ),
    ] = 4.0
    link_mbits_per_s: Annotated[
        float,
        Meta(
            ge=0,
            le=10_000_000,
            description="What the links can carry together; 0: as the kernel tells of those that are up.",
            extra={"unit": "Mbit/s"},
        ),
    ] = 0.0
    shed_from_ratio: Annotated[
        float,
        Meta(
            ge=0.1,
            le=0.99,
            description="Players are told a bitrate to stay below when the links or the CPU are busier than this.",
        ),
    ] = 0.85
    shed_highest_mbits_per_s: Annotated[
        float,
        Meta(
            ge=0.1,
            le=MBITS_PER_S_MAX,
            description="What they are told when that begins: the highest rung of the ladders.",
            extra={"unit": "Mbit/s"},
        ),
    ] = 16.0
    shed_lowest_mbits_per_s: Annotated[
        float,
        Meta(
            ge=0.1,
            le=MBITS_PER_S_MAX,
            description="What they are told when the box is full: a rung that still looks well.",
            extra={"unit": "Mbit/s"},
        ),
    ] = 1.5

    def __post_init__(self) -> None:
        """Refuse a ladder upside down."""
        if self.shed_lowest_mbits_per_s > self.shed_highest_mbits_per_s:
            raise ValueError(
                f"shed_lowest_mbits_per_s = {self.shed_lowest_mbits_per_s} is above shed_highest_mbits_per_s = "
                f"{self.shed_highest_mbits_per_s}; swap them"
            )
