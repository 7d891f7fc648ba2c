"""The appliance's judgement of itself: a verdict, and why, in words an operator can act on.

Pure: readings come in, nothing is measured here. What steering makes of a verdict is steering's business.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from oca.common.messages import Health, Verdict
from oca.common.units import format_bytes

REASONS_MAX = 50
REASON_CHARACTERS_MAX = 400
DEVICE_FREE_BYTES_MIN = 64 * 2**20
"""Below this a device takes no pack worth the name, and LMDB may fail to commit."""
CPU_RATIO_MAX = 0.95
MEMORY_AVAILABLE_RATIO_MIN = 0.05
ERROR_RATIO_MAX = 0.01
ERROR_REQUESTS_MIN = 100
"""Fewer requests than this say nothing about a ratio of errors."""


@dataclass(frozen=True, slots=True)
class WorkerReading:
    """One delivery worker; ``why`` tells why it is not ready, or why it was last restarted."""

    number: int
    ready: bool
    why: str = ""


@dataclass(frozen=True, slots=True)
class DeviceReading:
    """One device of the store; ``fault`` is empty while it can be read, ``read_only`` while it can be written.
    ``answers``: whether every worker's reads come back.
    """

    path: str
    fault: str
    free_bytes: int
    read_only: str = ""
    answers: bool = True


@dataclass(frozen=True, slots=True)
class LinkReading:
    """One network link that carries a delivery address."""

    name: str
    up: bool
    why: str
    bytes_per_s: float = 0


@dataclass(frozen=True, slots=True)
class Readings:
    """Everything the verdict rests on; ``requests`` and ``errors`` are those of the last while."""

    workers: Sequence[WorkerReading]
    devices: Sequence[DeviceReading]
    links: Sequence[LinkReading]
    requests: int
    errors: int
    cpu_ratio: float
    memory_available_ratio: float


Finding = tuple[Literal["degraded", "failed"], str]


def judge(readings: Readings) -> Health:
    """The verdict with its reasons, gravest first.

    ``failed``: viewers cannot be served from here. ``degraded``: they can, but something wants an operator.
    """
    findings = [
        *_workers(readings.workers),
        *_devices(readings.devices),
        *_links(readings.links),
        *_errors(readings.requests, readings.errors),
        *_machine(readings.cpu_ratio, readings.memory_available_ratio),
    ]
    findings.sort(key=lambda finding: finding[0] != "failed")
    verdict: Verdict = findings[0][0] if findings else "ok"
    return Health(verdict=verdict, reasons=_bounded(reason for _, reason in findings))


def _workers(workers: Sequence[WorkerReading]) -> Iterator[Finding]:
    down = [worker for worker in workers if not worker.ready]
    if len(down) == len(workers):
        yield "failed", "no delivery worker is ready"
    for worker in down:
        yield "degraded", f"delivery worker {worker.number} is not ready: {worker.why or 'starting'}"


def _devices(devices: Sequence[DeviceReading]) -> Iterator[Finding]:
    broken = [device for device in devices if device.fault]
    if len(broken) == len(devices):
        yield "failed", "no device of the store works"
    for device in broken:
        yield "degraded", f"device {device.path}: {device.fault}"
    for device in devices:
        if device.fault:
            continue
        if not device.answers:  # what is in memory of it is served, what is elsewhere as well
            yield "degraded", f"device {device.path} does not answer reads"
        if device.read_only:
            yield "degraded", f"device {device.path} serves, but takes nothing new: {device.read_only}"
        if device.free_bytes < DEVICE_FREE_BYTES_MIN:
            free, wanted = format_bytes(device.free_bytes), format_bytes(DEVICE_FREE_BYTES_MIN)
            yield "degraded", f"device {device.path}: {free} free, at least {wanted} wanted; remove what is not ours"


def _links(links: Sequence[LinkReading]) -> Iterator[Finding]:
    down = [link for link in links if not link.up]
    if links and len(down) == len(links):
        yield "failed", "no link of a delivery address is up"
    for link in down:
        yield "degraded", f"link {link.name}: {link.why}"


def _errors(requests: int, errors: int) -> Iterator[Finding]:
    if requests >= ERROR_REQUESTS_MIN and errors > requests * ERROR_RATIO_MAX:
        yield "degraded", f"{errors} of the last {requests} requests failed on our side, limit {ERROR_RATIO_MAX:.0%}"


def _machine(cpu_ratio: float, memory_available_ratio: float) -> Iterator[Finding]:
    if cpu_ratio > CPU_RATIO_MAX:
        yield "degraded", f"CPU {cpu_ratio:.0%} busy, limit {CPU_RATIO_MAX:.0%}"
    if memory_available_ratio < MEMORY_AVAILABLE_RATIO_MIN:
        yield (
            "degraded",
            f"{memory_available_ratio:.0%} of memory available, at least {MEMORY_AVAILABLE_RATIO_MIN:.0%} wanted",
        )


def _bounded(reasons: Iterable[str]) -> list[str]:
    shown = [reason[:REASON_CHARACTERS_MAX] for reason in reasons]
    if len(shown) > REASONS_MAX:
        shown = [*shown[: REASONS_MAX - 1], f"and {len(shown) - REASONS_MAX + 1} more"]
    return shown
