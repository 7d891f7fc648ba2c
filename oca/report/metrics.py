"""What the appliance shows Prometheus of itself, beside what delivery counts. Pure; each metric is declared once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

from oca.common.messages import Serving, Verdict
from oca.common.metrics import Family
from oca.common.standing import Standing
from oca.common.tracing_metrics import TRACING
from oca.report.fill_metrics import FILL, fill_values
from oca.report.signs import Kind
from oca.report.snapshot import Snapshot, SteeringLink

APPLIANCE: tuple[Family, ...] = (
    Family(
        name="health",
        kind="gauge",
        unit="verdict",
        help="The appliance's judgement of itself: 1 at the verdict that holds; /health gives the reasons.",
        label="verdict",
        values=get_args(Verdict),
    ),
    Family(
        name="health_weight_ratio",
        kind="gauge",
        unit="ratio",
        help="Share of its viewers that the appliance says it should be sent; below 1 something slows it.",
    ),
    Family(
        name="health_reasons",
        kind="gauge",
        unit="boolean",
        help="1 for each kind of reason that counts in the appliance's health; docs/health.md says what each means.",
        label="reason",
        values=get_args(Kind),
    ),
    Family(
        name="serving",
        kind="gauge",
        unit="state",
        help="Whether steering may send viewers here: 1 at the state that holds.",
        label="state",
        values=get_args(Serving),
    ),
    Family(name="workers", kind="gauge", unit="processes", help="Delivery workers wanted."),
    Family(name="workers_ready", kind="gauge", unit="processes", help="Delivery workers that serve."),
    Family(
        name="worker_restarts",
        kind="counter",
        unit="restarts",
        help="Delivery workers that ended unasked and were replaced; the log says why.",
    ),
    Family(name="store_capacity_bytes", kind="gauge", unit="bytes", help="Space for assets on working devices."),
    Family(name="store_used_bytes", kind="gauge", unit="bytes", help="What the assets held take."),
    Family(name="store_assets", kind="gauge", unit="assets", help="Assets held whole."),
    Family(name="store_objects", kind="gauge", unit="objects", help="URLs that can be served."),
    Family(name="store_devices", kind="gauge", unit="devices", help="Devices in the settings."),
    Family(
        name="store_devices_failed",
        kind="gauge",
        unit="devices",
        help="Devices that cannot be read or written, or hang; /health names them.",
    ),
    Family(
        name="store_devices_out",
        kind="gauge",
        unit="devices",
        help="Devices that were taken out, by whomever; 'oca store devices' tells why.",
    ),
    Family(
        name="store_quarantined_packs",
        kind="gauge",
        unit="packs",
        help="Bad packs that are out of service until the next fill mends them.",
    ),
    Family(name="links_down", kind="gauge", unit="links", help="Links of delivery addresses that are down."),
    Family(
        name="steering_connected",
        kind="gauge",
        unit="boolean",
        help="1 while steering takes reports; at 0 the appliance serves on but gets no new viewers.",
    ),
    Family(
        name="steering_standing",
        kind="gauge",
        unit="standing",
        help="1 for how steering judges the appliance, by its last answer; none while it is away.",
        label="standing",
        values=get_args(Standing),
    ),
    Family(
        name="reports",
        kind="counter",
        unit="reports",
        help="Reports to steering, by outcome.",
        label="outcome",
        values=("taken", "failed"),
    ),
    Family(
        name="demand_requests_dropped",
        kind="counter",
        unit="requests",
        help="Requests for objects that are not held of which steering is not told: more paths were asked for than are "
        "counted, 4,096 a second and worker, 20,000 until steering has taken them. delivery_misses has them all.",
    ),
    *FILL,
    *TRACING,
)


def appliance_values(snapshot: Snapshot, serving: Serving, steering: SteeringLink | None) -> Mapping[str, float]:
    """The values of ``APPLIANCE``, by slot key."""
    store = snapshot.store
    return {
        f"health:{snapshot.health.verdict}": 1,
        "health_weight_ratio": snapshot.health.weight,
        **{f"health_reasons:{kind}": 1 for kind in snapshot.kinds},
        f"serving:{serving}": 1,
        "workers": len(snapshot.workers),
        "workers_ready": sum(worker.ready for worker in snapshot.workers),
        "worker_restarts": sum(worker.restarts for worker in snapshot.workers),
        "store_capacity_bytes": store.use.capacity_bytes,
        "store_used_bytes": store.use.used_bytes,
        "store_assets": store.use.assets,
        "store_objects": store.use.objects,
        "store_devices": len(store.devices),
        "store_devices_failed": sum(bool(device.fault) for device in store.devices),
        "store_devices_out": len(store.out),
        "store_quarantined_packs": store.quarantined,
        "links_down": sum(not link.up for link in snapshot.links),
        "steering_connected": int(steering is not None and steering.connected is True),
        **({f"steering_standing:{steering.standing}": 1} if steering is not None and steering.connected else {}),
        "reports:taken": steering.reports_taken if steering is not None else 0,
        "reports:failed": steering.reports_failed if steering is not None else 0,
        "demand_requests_dropped": steering.demand_dropped if steering is not None else 0,
        **fill_values(store.fill.progress if store.fill is not None else None, store.figures, snapshot.at_ns),
    }
