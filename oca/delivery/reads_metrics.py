"""What is counted of reading from devices what is not in memory."""

from __future__ import annotations

from oca.common.metrics import Family

READ_WAITS_MS = (1, 4, 16, 64, 256, 1024)
"""Upper limits by which waits for reads are counted."""

READS: tuple[Family, ...] = (
    Family(
        name="delivery_probes",
        kind="counter",
        unit="slices",
        help="Slices of bodies that were looked for in memory before they were sent, by where they were found; an "
        "object asked for often is looked for once a second.",
        label="found",
        values=("memory", "device"),
    ),
    Family(
        name="delivery_reads",
        kind="counter",
        unit="slices",
        help="Slices that were not in memory, by how waiting for their read ended: ready; failed or short, the device "
        "or the pack is at fault; slow, after delivery.reads.timeout_s; sick, the device hangs; overloaded, "
        "delivery.reads.queue_max were waiting.",
        label="outcome",
        values=("ready", "failed", "short", "slow", "sick", "overloaded"),
    ),
    Family(
        name="delivery_reads_awaited",
        kind="gauge",
        unit="responses",
        help="Responses that wait for a device now.",
    ),
    Family(
        name="delivery_read_bytes",
        kind="counter",
        unit="bytes",
        help="Bytes read from devices for viewers who waited for them.",
    ),
    Family(
        name="delivery_read_ahead_bytes",
        kind="counter",
        unit="bytes",
        help="Bytes read from devices before anybody asked for them: the object that follows in its pack.",
    ),
    Family(
        name="delivery_read_waits",
        kind="counter",
        unit="slices",
        help="Waits for reads by their length: up to so many milliseconds, and more than the one before.",
        label="ms",
        values=(*(str(limit) for limit in READ_WAITS_MS), "more"),
    ),
    Family(
        name="delivery_read_wait_seconds",
        kind="counter",
        unit="seconds",
        factor=1e-6,
        help="Time that viewers waited for reads, in all.",
    ),
    Family(
        name="delivery_devices_sick",
        kind="gauge",
        unit="devices",
        help="Devices that do not answer, summed over the workers; of those only what is in memory is served.",
    ),
)
