"""``oca status`` as a screen of text. Pure: a status in, lines out."""

from __future__ import annotations

from collections.abc import Iterator

from oca.admin.glance import fill_text, routes_text
from oca.admin.status import PlayersStatus, Renewal, Status
from oca.common.messages import Health, Load, Serving
from oca.common.units import format_bytes, format_duration, format_instant, format_rate
from oca.report.serving import drain_reason

LATELY_SHOWN = 5
_ENCRYPTS = {"ktls": "the kernel", "userspace": "the workers"}


def status_lines(status: Status) -> Iterator[str]:
    """One screen, the most important first."""
    yield f"{status.appliance} at {status.site}, oca {status.version}, up {_since(status, status.started_at_ns)}"
    left = f", at most {format_duration(status.drain_left_s)} more" if status.drain_left_s else ""
    state = drain_reason(status.serving, status.drained_at_ns, status.drained_until_ns) or status.serving
    yield f"state      {state}{left}; health {health_text(status.health)}"
    for reason in status.health.reasons:
        yield f"           ! {reason}"
    yield f"viewers    {status.load.connections} connections, {format_rate(status.load.sent_bytes_per_s)} sent"
    yield f"players    {', '.join(_players(status.players))}"
    links = ", ".join(_link(link.name, link.up, link.bytes_per_s) for link in status.links)
    yield f"links      {links or 'not known'}"
    ready = sum(worker.ready for worker in status.workers)
    restarts = sum(worker.restarts for worker in status.workers)
    yield f"workers    {ready} of {len(status.workers)} ready, {restarts} restarts, CPU {status.load.cpu_ratio:.0%}"
    used, capacity = status.store.used_bytes, status.store.capacity_bytes
    share = f" ({used / capacity:.0%})" if capacity else ""
    yield (
        f"store      {status.store.assets} assets, {status.store.objects} objects, "
        f"{format_bytes(used)} of {format_bytes(capacity)}{share}"
    )
    for device in status.devices:
        yield f"           {device.path}: {device.fault or f'good, {format_bytes(device.free_bytes)} free'}"
    if status.fill is not None:
        yield f"fill       {fill_text(status.fill, status.at_ns)}"
    if status.routes is not None:
        yield f"routes     {routes_text(status.routes)}"
    yield f"steering   {_steering(status)}"
    if status.steering.state == "connected" and status.steering.sends_viewers is False:
        yield f"           ! sends no new viewers here: {status.steering.judged}"
    yield f"delivery   {', '.join(status.delivery_urls)}"
    yield from _tls(status)
    yield from _renewal(status)
    for line in status.lately[-LATELY_SHOWN:]:
        yield f"lately     {line}"


def service_line(serving: Serving, health: Health, load: Load) -> str:
    """How the appliance is, in the one line that a service manager shows (``systemctl status``)."""
    why = f" ({'; '.join(health.reasons)})" if health.reasons else ""
    sent = f"{load.connections} connections, {format_rate(load.sent_bytes_per_s)} sent"
    return f"{serving}, health {health_text(health)}{why}; {sent}"


def health_text(health: Health) -> str:
    """The verdict, and how much of its viewers the box should be sent where that is not all."""
    if health.verdict == "failed" or health.weight >= 1:
        return health.verdict
    return f"{health.verdict}, takes {health.weight:.0%} of its viewers"


def renewal_text(renewal: Renewal) -> str:
    """How a reload or upgrade went."""
    waiting = f"; {', '.join(renewal.waiting)}: taken up by 'oca upgrade' or a restart" if renewal.waiting else ""
    return f"{'' if renewal.done else 'FAILED: '}{renewal.said}{waiting}"


def _tls(status: Status) -> Iterator[str]:
    if status.tls is None:
        return
    tickets = "" if status.tls.shared_tickets else ", returning clients may handshake anew"
    yield f"tls        encrypted by {_ENCRYPTS.get(status.tls.mode, status.tls.mode)}{tickets}"
    for certificate in status.tls.certificates:
        names = ", ".join(certificate.names) or "no host"
        yield f"           {certificate.file}: for {names}, until {format_instant(certificate.expires_at_ns)}"


def _renewal(status: Status) -> Iterator[str]:
    renewal = status.renewal
    if renewal.kind:
        yield f"{renewal.kind:<10} {_since(status, renewal.at_ns)} ago: {renewal_text(renewal)}"


def _since(status: Status, instant_ns: int) -> str:
    return format_duration(max(0, status.at_ns - instant_ns) / 1e9)


def _link(name: str, up: bool, bytes_per_s: float) -> str:
    speed = f" {format_rate(bytes_per_s)}" if bytes_per_s else ""
    return f"{name} {'up' if up else 'DOWN'}{speed}"


def _players(players: PlayersStatus) -> Iterator[str]:
    yield f"pacing {players.pacing}" + (f", {players.paced_connections} paced" if players.pacing != "off" else "")
    if players.congestion:
        yield f"congestion control {' and '.join(players.congestion)}"
    if players.quality_reports:
        yield f"{players.quality_starved} starved of {players.quality_reports} requests"
    if players.advised_kbits_per_s:
        yield f"asked to stay below {players.advised_kbits_per_s / 1000:.1f} Mbit/s"


def _known_by(status: Status) -> str:
    known_by = status.steering.known_by
    return f", knows this box by its {known_by}" if known_by else ""


def _steering(status: Status) -> str:
    steering = status.steering
    lasting = _since(status, steering.since_ns)
    texts = {
        "alone": f"none: stands alone, {steering.why}",
        "starting": f"{steering.url}, no answer yet",
        "connected": f"{steering.url}, takes reports for {lasting}{_known_by(status)}",
        "away": f"{steering.url}, AWAY for {lasting}: {steering.why}",
    }
    return texts[steering.state]
