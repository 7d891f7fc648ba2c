"""Settings of the appliance's judgement of itself: each limit with the value at which it is left again. Pure."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from oca.common.settings_schema import Table

_Ratio = Annotated[float, Meta(ge=0, le=1)]


class HealthTable(Table, frozen=True):
    """When the appliance calls itself degraded. A limit counts once it was passed for ``hold_s`` without a break.

    It ends once the value was beyond ``…_leave`` for ``release_s``, four times as long each time it comes back within a
    day. Faults (a worker, device or link that is down) count at once.
    """

    hold_s: Annotated[
        float,
        Meta(ge=0, le=3600, description="A limit counts when it was passed for so long.", extra={"unit": "seconds"}),
    ] = 15.0
    release_s: Annotated[
        float,
        Meta(
            ge=0,
            le=86400,
            description="It counts until the value was good for so long; four times that at each return within a day.",
            extra={"unit": "seconds"},
        ),
    ] = 60.0
    release_s_max: Annotated[
        float,
        Meta(ge=0, le=7 * 86400, description="Longest such time, after many returns.", extra={"unit": "seconds"}),
    ] = 14400.0
    fault_release_s: Annotated[
        float,
        Meta(
            ge=0,
            le=3600,
            description="A fault counts until it was gone for so long; four times that at each return within a day, up "
            "to release_s.",
            extra={"unit": "seconds"},
        ),
    ] = 2.0
    degraded_weight: Annotated[
        float,
        Meta(
            ge=0,
            le=1,
            description="Share of its viewers that steering is to send while something slows it: errors, slow first "
            "bytes, slow devices, little memory, workers that die. What costs viewers nothing leaves it at 1.",
        ),
    ] = 0.5
    error_ratio_enter: Annotated[
        _Ratio, Meta(description="Share of requests that fail by our own fault, over 10 s, above which it is degraded.")
    ] = 0.01
    error_ratio_leave: Annotated[_Ratio, Meta(description="Good again below this.")] = 0.005
    error_requests_min: Annotated[
        int,
        Meta(ge=1, le=10**6, description="Fewer requests than this say nothing of errors or first bytes."),
    ] = 100
    first_byte_p99_enter_s: Annotated[
        float,
        Meta(
            gt=0,
            le=60,
            description="Within this 99 of 100 first bytes go out, over a minute, or it is degraded; counted by the "
            "bounds of oca_delivery_first_byte_seconds.",
            extra={"unit": "seconds"},
        ),
    ] = 1.0
    first_byte_p99_leave_s: Annotated[
        float, Meta(gt=0, le=60, description="Good again at this or below.", extra={"unit": "seconds"})
    ] = 0.5
    link_use_enter: Annotated[
        _Ratio, Meta(description="Share of a link's speed that is sent, above which operators are told.")
    ] = 0.97
    link_use_leave: Annotated[_Ratio, Meta(description="Good again below this.")] = 0.85
    link_error_ratio_enter: Annotated[
        _Ratio, Meta(description="Share of a link's packets that the kernel counts as errors, above which it is bad.")
    ] = 0.001
    link_error_ratio_leave: Annotated[_Ratio, Meta(description="Good again below this.")] = 0.0001
    cpu_ratio_enter: Annotated[
        _Ratio, Meta(description="Share of all cores that is busy, over a minute, above which operators are told.")
    ] = 0.95
    cpu_ratio_leave: Annotated[_Ratio, Meta(description="Good again below this.")] = 0.85
    memory_available_ratio_enter: Annotated[
        _Ratio, Meta(description="Share of memory that is available, below which it is degraded.")
    ] = 0.05
    memory_available_ratio_leave: Annotated[_Ratio, Meta(description="Good again above this.")] = 0.08
    device_read_enter_s: Annotated[
        float,
        Meta(
            gt=0,
            le=60,
            description="Mean time of a device's reads over a minute, as the kernel counts it, above which it is slow.",
            extra={"unit": "seconds"},
        ),
    ] = 0.2
    device_read_leave_s: Annotated[
        float, Meta(gt=0, le=60, description="Good again below this.", extra={"unit": "seconds"})
    ] = 0.1
    device_free_bytes_enter: Annotated[
        int,
        Meta(
            ge=0,
            le=2**50,
            description="Free space of a device's file system below which it is full: no pack worth the name fits, and "
            "its index may fail to commit.",
            extra={"unit": "bytes"},
        ),
    ] = 64 * 2**20
    device_free_bytes_leave: Annotated[
        int, Meta(ge=0, le=2**50, description="Good again above this.", extra={"unit": "bytes"})
    ] = 128 * 2**20
    clock_skew_enter_s: Annotated[
        float,
        Meta(
            gt=0,
            le=86400,
            description="How far the clock may be from steering's, as its answers tell.",
            extra={"unit": "seconds"},
        ),
    ] = 5.0
    clock_skew_leave_s: Annotated[
        float, Meta(gt=0, le=86400, description="Good again below this.", extra={"unit": "seconds"})
    ] = 2.0
    certificate_left_enter_s: Annotated[
        float,
        Meta(
            ge=0,
            le=366 * 86400,
            description="How long before its end a certificate for viewers is told of.",
            extra={"unit": "seconds"},
        ),
    ] = 7 * 86400.0
    certificate_left_leave_s: Annotated[
        float, Meta(ge=0, le=366 * 86400, description="Good again above this.", extra={"unit": "seconds"})
    ] = 14 * 86400.0
    worker_restarts_enter: Annotated[
        int,
        Meta(
            ge=0,
            le=1000,
            description="Workers that may die within ten minutes; more and it is degraded.",
            extra={"unit": "restarts"},
        ),
    ] = 2
    worker_restarts_leave: Annotated[
        int, Meta(ge=0, le=1000, description="Good again at this or fewer.", extra={"unit": "restarts"})
    ] = 0

    def __post_init__(self) -> None:
        """Refuse limits that are left on the wrong side."""
        for name in self.__struct_fields__:
            stem, found, unit = name.partition("_enter")
            if not found:
                continue
            enter, leave = getattr(self, name), getattr(self, f"{stem}_leave{unit}")
            if stem in LOW_IS_BAD and leave < enter:
                raise ValueError(
                    f"{stem}_leave{unit} = {leave} is below {name} = {enter}; raise it, or lower the other"
                )
            if stem not in LOW_IS_BAD and leave > enter:
                raise ValueError(
                    f"{stem}_leave{unit} = {leave} is above {name} = {enter}; lower it, or raise the other"
                )


LOW_IS_BAD = ("memory_available_ratio", "device_free_bytes", "certificate_left")
