"""What ``oca top`` shows: the box now, its hottest assets and client prefixes. Pure: messages in, lines out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from oca.admin.screen import health_text
from oca.admin.status import Status
from oca.common.hot import WINDOW_S, Hot
from oca.common.messages import Message
from oca.common.units import format_rate
from oca.network.prefix_rates import PrefixRate
from oca.report.serving import drain_reason

ROWS_SHOWN = 10
ROWS_SHOWN_MAX = 1000
_BAR = 24


class HotAsset(Message, frozen=True):
    """One asset, per second over the last minute."""

    asset: str
    requests_per_s: float
    bytes_per_s: float


class HotPage(Message, frozen=True):
    """The answer of ``/v1/hot``: assets that most was sent of, most first."""

    window_s: float
    assets: list[HotAsset]


class HotPrefix(Message, frozen=True):
    """One client prefix, between two looks."""

    prefix: str
    connections: int
    bytes_per_s: float


class Top(Message, frozen=True):
    """Everything on one screen; ``why`` says why prefixes are not known."""

    status: Status
    assets: list[HotAsset]
    prefixes: list[HotPrefix]
    why: str = ""


def hot_page(hot: Iterable[Hot]) -> HotPage:
    """The answer from delivery's window."""
    assets = [HotAsset(asset=one.asset, requests_per_s=one.requests_per_s, bytes_per_s=one.bytes_per_s) for one in hot]
    return HotPage(window_s=WINDOW_S, assets=assets)


def hot_prefixes(rates: Iterable[PrefixRate]) -> list[HotPrefix]:
    """What the kernel's sockets told."""
    return [HotPrefix(prefix=one.prefix, connections=one.connections, bytes_per_s=one.bytes_per_s) for one in rates]


def top_lines(top: Top, rows: int = ROWS_SHOWN) -> Iterator[str]:
    """The screen, line by line: at most 6 + 2 × ``rows``."""
    status, load = top.status, top.status.load
    state = drain_reason(status.serving, status.drained_at_ns, status.drained_until_ns) or status.serving
    yield f"{status.appliance} at {status.site}  {state}, health {health_text(status.health)}"
    ratio = load.sent_bytes_per_s / load.link_bytes_per_s if load.link_bytes_per_s else 0.0
    line = f" of {format_rate(load.link_bytes_per_s)} {_bar(ratio)} {ratio:.0%}" if load.link_bytes_per_s else ""
    busy = f"CPU {load.cpu_ratio:.0%}   {load.connections} connections"
    yield f"sent  {format_rate(load.sent_bytes_per_s):>10}{line}   {busy}"
    for reason in status.health.reasons[:2]:
        yield f"      ! {reason}"
    yield from ("", _row("rate", "requests/s", "hottest assets of the last minute"))
    for asset in top.assets[:rows]:
        yield _row(format_rate(asset.bytes_per_s), f"{asset.requests_per_s:.1f}", asset.asset)
    if not top.assets:
        yield "           nobody watches"
    yield from ("", _row("rate", "connections", "hottest client prefixes"))
    for prefix in top.prefixes[:rows]:
        yield _row(format_rate(prefix.bytes_per_s), str(prefix.connections), prefix.prefix)
    if not top.prefixes:
        yield f"           {top.why or 'nobody is connected'}"


def _row(rate: str, count: str, name: str) -> str:
    return f"{rate:>10}  {count:>11}  {name}"


def _bar(ratio: float) -> str:
    filled = round(min(1.0, max(0.0, ratio)) * _BAR)
    return "█" * filled + "░" * (_BAR - filled)
