"""What the appliance reads of itself at one instant: all that its verdict rests on. Pure: nothing is measured here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class WorkerReading:
    """One delivery worker; ``why`` tells why it is not ready, or why it was last restarted."""

    number: int
    ready: bool
    why: str = ""


@dataclass(frozen=True, slots=True)
class DeviceReading:
    """One device of the store.

    Attributes:
        fault: Why it cannot be read; empty while it can.
        read_only: Why it cannot be written; empty while it can.
        answers: Whether every worker's reads come back.
        errors: Assets whose reads failed within the last hour.
        disk: The kernel's name of what lies below it; empty where it has none (memory, network).
        read_s: Mean time of its reads of late; None where too few were made.
    """

    path: str
    fault: str
    free_bytes: int
    read_only: str = ""
    answers: bool = True
    errors: int = 0
    disk: str = ""
    read_s: float | None = None


@dataclass(frozen=True, slots=True)
class LinkReading:
    """One network link that carries a delivery address; the ratios are None where they are not known.

    Attributes:
        use_ratio: Share of its speed that is sent.
        error_ratio: Share of its packets that the kernel counted as errors.
    """

    name: str
    up: bool
    why: str
    bytes_per_s: float = 0
    use_ratio: float | None = None
    error_ratio: float | None = None


@dataclass(frozen=True, slots=True)
class Readings:
    """Everything the verdict rests on.

    Attributes:
        requests: Of the last 10 s.
        errors: Of those, failed by our own fault.
        first_byte_p99_s: What 99 of 100 first bytes of the last minute stayed below, by a histogram's bounds; None
            where there were too few.
        restarts: Workers that died within the last ten minutes.
        clock_ahead_s: Of steering's clock; None where that is not known.
        overload: Why new viewers are turned away; empty while they are not.
        certificates_left_s: By file, until each certificate for viewers ends.
    """

    workers: Sequence[WorkerReading]
    devices: Sequence[DeviceReading]
    links: Sequence[LinkReading]
    requests: int
    errors: int
    cpu_ratio: float
    memory_available_ratio: float
    first_byte_p99_s: float | None = None
    restarts: int = 0
    clock_ahead_s: float | None = None
    overload: str = ""
    certificates_left_s: Mapping[str, float] = field(default_factory=dict)
