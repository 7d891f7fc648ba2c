"""What in the readings of one instant is amiss, in words an operator can act on. Pure.

Whether it has lasted long enough to count is ``health``'s business.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from oca.common.units import format_bytes, format_duration
from oca.report.health_settings import HealthTable
from oca.report.hysteresis import Side
from oca.report.readings import DeviceReading, LinkReading, Readings, WorkerReading

Kind = Literal[
    "workers",
    "worker-restarts",
    "device",
    "device-silent",
    "device-read-only",
    "device-full",
    "device-errors",
    "device-slow",
    "link",
    "link-full",
    "link-errors",
    "errors",
    "first-byte",
    "overload",
    "cpu",
    "memory",
    "clock",
    "certificate",
]


class Sign(NamedTuple):
    """One thing that was looked at.

    Attributes:
        kind: Its name in metrics and docs/health.md.
        of: Which one of its kind; empty where there is but one.
        side: On which side of its thresholds it is; a fault is always ``bad``, and absent while there is none.
        said: What is amiss; of use only where it is.
        weight: Share of its viewers that the box should take while this counts.
        fails: Whether viewers cannot be served at all.
        is_fault: Counts at once, where a value has to last.
    """

    kind: Kind
    of: str
    side: Side
    said: str
    weight: float = 1.0
    fails: bool = False
    is_fault: bool = False


def signs(readings: Readings, limits: HealthTable) -> Iterator[Sign]:
    """Everything that was looked at; faults only where they are."""
    yield from _workers(readings.workers, readings.restarts, limits)
    yield from _devices(readings.devices, limits)
    yield from _links(readings.links, limits)
    yield from _answers(readings, limits)
    yield from _overload(readings.overload, limits)
    yield from _machine(readings, limits)


def high(value: float, enter: float, leave: float) -> Side:
    """The side of a value that should be low."""
    return "bad" if value > enter else "between" if value > leave else "good"


def low(value: float, enter: float, leave: float) -> Side:
    """The side of a value that should be high."""
    return "bad" if value < enter else "between" if value < leave else "good"


def _fault(kind: Kind, of: str, said: str, *, weight: float = 1.0, fails: bool = False) -> Sign:
    return Sign(kind, of, "bad", said, 0.0 if fails else weight, fails, is_fault=True)


def _workers(workers: Sequence[WorkerReading], restarts: int, limits: HealthTable) -> Iterator[Sign]:
    down = [worker for worker in workers if not worker.ready]
    if len(down) == len(workers):
        yield _fault("workers", "", "no delivery worker is ready", fails=True)
    for worker in down:
        said = f"delivery worker {worker.number} is not ready: {worker.why or 'starting'}"
        yield _fault("workers", str(worker.number), said, weight=1 - len(down) / len(workers))
    enter, leave = limits.worker_restarts_enter, limits.worker_restarts_leave
    said = f"{restarts} delivery workers died within ten minutes, limit {enter}; see the log for how they ended"
    yield Sign("worker-restarts", "", high(restarts, enter, leave), said, limits.degraded_weight)


def _devices(devices: Sequence[DeviceReading], limits: HealthTable) -> Iterator[Sign]:
    broken = [device for device in devices if device.fault]
    if len(broken) == len(devices):
        yield _fault("device", "", "no device of the store works", fails=True)
    for device in broken:
        yield _fault("device", device.path, f"device {device.path}: {device.fault}")
    for device in devices:
        if not device.fault:
            yield from _working(device, limits)


def _working(device: DeviceReading, limits: HealthTable) -> Iterator[Sign]:
    path, slow = device.path, limits.degraded_weight
    if not device.answers:  # what is in memory of it is served, what is elsewhere as well
        yield _fault("device-silent", path, f"device {path} does not answer reads", weight=slow)
    if device.read_only:
        said = f"device {path} serves, but takes nothing new: {device.read_only}"
        yield _fault("device-read-only", path, said)
    if device.errors:
        said = f"device {path}: reads of {device.errors} assets failed within an hour; see the kernel log"
        yield _fault("device-errors", path, said)
    enter, leave = limits.device_free_bytes_enter, limits.device_free_bytes_leave
    free, wanted = format_bytes(device.free_bytes), format_bytes(enter)
    said = f"device {path}: {free} free, at least {wanted} wanted; remove what is not ours"
    yield Sign("device-full", path, low(device.free_bytes, enter, leave), said)
    if device.read_s is not None:
        limit = limits.device_read_enter_s
        said = f"device {path}: a read takes {device.read_s * 1000:.0f} ms in the mean, limit {limit * 1000:.0f} ms"
        yield Sign("device-slow", path, high(device.read_s, limit, limits.device_read_leave_s), said, slow)


def _links(links: Sequence[LinkReading], limits: HealthTable) -> Iterator[Sign]:
    down = [link for link in links if not link.up]
    if links and len(down) == len(links):
        yield _fault("link", "", "no link of a delivery address is up", fails=True)
    for link in down:  # the report's load tells steering what the others carry
        yield _fault("link", link.name, f"link {link.name}: {link.why}")
    for link in links:
        if link.use_ratio is not None:
            limit = limits.link_use_enter
            said = f"link {link.name}: {link.use_ratio:.0%} of its speed is used, limit {limit:.0%}"
            yield Sign("link-full", link.name, high(link.use_ratio, limit, limits.link_use_leave), said)
        if link.error_ratio is not None:
            limit = limits.link_error_ratio_enter
            said = (
                f"link {link.name}: {link.error_ratio:.3%} of its packets are errors, limit {limit:.3%}; see the cable"
            )
            side = high(link.error_ratio, limit, limits.link_error_ratio_leave)
            yield Sign("link-errors", link.name, side, said, limits.degraded_weight)


def _answers(readings: Readings, limits: HealthTable) -> Iterator[Sign]:
    requests, errors, slow = readings.requests, readings.errors, limits.degraded_weight
    if requests >= limits.error_requests_min:
        limit = limits.error_ratio_enter
        said = f"{errors} of the last {requests} requests failed on our side, limit {limit:.2%}"
        yield Sign("errors", "", high(errors / requests, limit, limits.error_ratio_leave), said, slow)
    if readings.first_byte_p99_s is not None:
        limit, took_s = limits.first_byte_p99_enter_s, readings.first_byte_p99_s
        said = f"one first byte in a hundred takes {took_s:g} s or longer, limit {limit:g} s"
        yield Sign("first-byte", "", high(took_s, limit, limits.first_byte_p99_leave_s), said, slow)


def _overload(why: str, limits: HealthTable) -> Iterator[Sign]:
    """Not all of its viewers at once: its neighbours would be the next to have too much to send."""
    if why:
        yield _fault("overload", "", f"new viewers are turned away: {why}", weight=limits.degraded_weight)


def _machine(readings: Readings, limits: HealthTable) -> Iterator[Sign]:
    limit = limits.cpu_ratio_enter  # its load tells steering to send fewer
    said = f"CPU {readings.cpu_ratio:.0%} busy, limit {limit:.0%}"
    yield Sign("cpu", "", high(readings.cpu_ratio, limit, limits.cpu_ratio_leave), said)
    limit, available = limits.memory_available_ratio_enter, readings.memory_available_ratio
    said = f"{available:.0%} of memory available, at least {limit:.0%} wanted"
    side = low(available, limit, limits.memory_available_ratio_leave)
    yield Sign("memory", "", side, said, limits.degraded_weight)
    ahead_s = readings.clock_ahead_s
    if ahead_s is not None:
        where, limit = "ahead of" if ahead_s > 0 else "behind", limits.clock_skew_enter_s
        said = f"clock is {abs(ahead_s):.1f} s {where} steering's, limit {limit:g} s; see its time service"
        yield Sign("clock", "", high(abs(ahead_s), limit, limits.clock_skew_leave_s), said)
    for file, left_s in readings.certificates_left_s.items():
        side = low(left_s, limits.certificate_left_enter_s, limits.certificate_left_leave_s)
        if left_s > 0:
            yield Sign("certificate", file, side, f"certificate {file} ends in {format_duration(left_s)}; renew it")
        else:
            said = f"certificate {file} ended {format_duration(-left_s)} ago, players refuse it; renew it"
            yield Sign("certificate", file, side, said, limits.degraded_weight)
