"""What a player is told with each answer: Common Media Server Data, CTA-5006, the field ``CMSD-Dynamic``. Pure.

``etp`` and ``rtt`` are what TCP knows of the path to this viewer; ``mb`` and ``du`` are the box asking players to step
down before it is full. ``CMSD-Static`` speaks of the media object, of which the store knows nothing beyond its bytes.
"""

from __future__ import annotations

import struct

from msgspec import Struct

from oca.common.messages import Load
from oca.delivery.pacing_settings import CmsdTable

TCP_INFO = struct.Struct("=7x B 8x I 48x I 8x I 36x Q 32x Q")
"""``struct tcp_info`` (linux/tcp.h, since Linux 4.9): flags, snd_mss, rtt µs, snd_cwnd, bytes_acked, delivery_rate."""
SAMPLE_BYTES_MIN = 65536
"""Acknowledged bytes before a throughput is told: the first flights tell of the initial window, not of the path."""
_APP_LIMITED = 1
_STEP_KBITS = 100


class Path(Struct, frozen=True, gc=False):
    """The path to one viewer: throughput in kbit/s, round trip in ms; 0: not known yet."""

    throughput: int
    rtt_ms: int


class Advice(Struct, frozen=True, tag="advice"):
    """What all players of this box are told: the most kbit/s of media to ask for (0: any), and whether it is short."""

    bitrate_max: int = 0
    is_short: bool = False


def path_of(info: bytes, *, is_paced: bool) -> Path:
    """The path as TCP knows it.

    The rate of delivery is a lower bound where the sending was held back, by pace or for want of data. What the window
    would let through in a round trip is then the better estimate.

    Args:
        info: ``TCP_INFO`` of the connection, ``TCP_INFO.size`` bytes.
        is_paced: Whether a pace is set for it.
    """
    flags, segment_bytes, rtt_us, window, acknowledged, delivered = TCP_INFO.unpack(info)
    rate = delivered
    if rtt_us and (is_paced or flags & _APP_LIMITED):
        rate = max(rate, window * segment_bytes * 1_000_000 // rtt_us)
    kbits = rate // 125 if acknowledged >= SAMPLE_BYTES_MIN else 0
    return Path(_rounded(kbits), -(-rtt_us // 1000))


def busy_ratio(load: Load, settings: CmsdTable) -> float:
    """How much of its links or its CPU the box uses, whichever is more; 1 is all."""
    link = settings.link_mbits_per_s * 125_000 or load.link_bytes_per_s
    return max(load.sent_bytes_per_s / link if link else 0.0, load.cpu_ratio)


def advise(busy: float, settings: CmsdTable) -> Advice:
    """How far players should step down on a box that is ``busy``, as ``busy_ratio`` has it.

    Nothing up to ``shed_from_ratio``; from there the bitrate falls from the highest rung to the lowest by equal factors
    for equal steps, as ladders do, and is at the lowest when the box is full. So each load has one answer, players'
    steps down find a balance, and there is no switch that would flap.
    """
    if busy < settings.shed_from_ratio:
        return Advice()
    depth = min(1.0, (busy - settings.shed_from_ratio) / (1 - settings.shed_from_ratio))
    highest, lowest = settings.shed_highest_mbits_per_s, settings.shed_lowest_mbits_per_s
    return Advice(_rounded(round(1000 * highest * (lowest / highest) ** depth)), is_short=True)


def field_line(appliance: str, path: Path, advice: Advice) -> bytes:
    """The line ``CMSD-Dynamic`` with its line end; empty where there is nothing to tell. Keys in order."""
    told = b"".join(
        (
            b";du" if advice.is_short else b"",
            b";etp=%d" % path.throughput if path.throughput else b"",
            b";mb=%d" % advice.bitrate_max if advice.bitrate_max else b"",
            b";rtt=%d" % path.rtt_ms if path.rtt_ms else b"",
        )
    )
    return b'CMSD-Dynamic: "%b"%b\r\n' % (appliance.encode(), told) if told else b""


def _rounded(kbits: int) -> int:
    """To the hundred, as CMCD rounds what players measure; never to nothing."""
    return max(_STEP_KBITS, round(kbits / _STEP_KBITS) * _STEP_KBITS) if kbits else 0
