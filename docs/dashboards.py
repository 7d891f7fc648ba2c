"""The dashboards for Grafana, declared here and written to config/dashboards by docs/generate.py."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

BOX, FLEET = '{job="oca",instance=~"$instance"}', '{job="oca"}'


class Panel(NamedTuple):
    """One graph: its title, Grafana's unit, and what it draws as (expression, legend)."""

    title: str
    unit: str
    draws: tuple[tuple[str, str], ...]


def _one(title: str, unit: str, expression: str, legend: str) -> Panel:
    return Panel(title, unit, ((expression, legend),))


def _quantile(quantile: float, buckets: str) -> str:
    return f"histogram_quantile({quantile}, {_rate(buckets, 'le')})"


def _rate(metric: str, by: str, where: str = BOX) -> str:
    return f"sum by ({by}) (rate({metric}{where}[5m]))"


DASHBOARDS: dict[str, tuple[str, tuple[Panel, ...]]] = {
    "box": (
        "Appliance",
        (
            Panel(
                "Sent",
                "bps",
                (
                    (f"instance:oca_sent_bits:rate5m{BOX}", "to viewers"),
                    (f"8 * rate(oca_delivery_fill_sent_bytes_total{BOX}[5m])", "to peers that fill"),
                ),
            ),
            Panel(
                "Connections",
                "short",
                ((f"oca_delivery_connections{BOX}", "open"), (f"oca_delivery_sends{BOX}", "sending")),
            ),
            _one("Responses by status", "reqps", _rate("oca_delivery_responses_total", "status"), "{{status}}"),
            _one("Misses by class", "reqps", _rate("oca_delivery_misses_total", "class"), "{{class}}"),
            Panel(
                "First byte",
                "s",
                tuple(
                    (
                        f"histogram_quantile({q}, {_rate('oca_delivery_first_byte_seconds_bucket', 'le')})",
                        f"p{q * 100:g}",
                    )
                    for q in (0.5, 0.95, 0.99)
                ),
            ),
            _one("Lag of workers", "s", _quantile(0.99, "oca_delivery_lag_seconds_bucket"), "p99"),
            _one("Waits for devices by ms", "ops", _rate("oca_delivery_read_waits_total", "ms"), "≤ {{ms}}"),
            _one("Responses cut by cause", "ops", _rate("oca_delivery_sends_cut_total", "cause"), "{{cause}}"),
            _one(
                "Connections refused by limit",
                "ops",
                _rate("oca_delivery_connections_refused_total", "limit"),
                "{{limit}}",
            ),
            _one("Players that starved", "percentunit", f"instance:oca_starved:ratio_rate15m{BOX}", "requests"),
            Panel(
                "Health", "short", ((f"oca_health{BOX} == 1", "{{verdict}}"), (f"oca_serving{BOX} == 1", "{{state}}"))
            ),
            Panel(
                "Devices and links out",
                "short",
                (
                    (f"oca_store_devices_failed{BOX}", "devices failed"),
                    (f"oca_store_devices_out{BOX}", "devices out"),
                    (f"oca_links_down{BOX}", "links down"),
                ),
            ),
        ),
    ),
    "fleet": (
        "Fleet",
        (
            _one("Sent by box", "bps", f"instance:oca_sent_bits:rate5m{FLEET}", "{{instance}}"),
            _one("Sent by all", "bps", f"sum(instance:oca_sent_bits:rate5m{FLEET})", "all boxes"),
            _one("Boxes by standing", "short", "sum by (standing) (oca_steering_appliances)", "{{standing}}"),
            _one("Viewers sent to boxes, not to the fallback", "percentunit", "job:oca_offload:ratio_rate1h", "share"),
            _one(
                "First choice by class",
                "reqps",
                "sum by (class) (rate(oca_steering_first_choices_total[5m]))",
                "{{class}}",
            ),
            Panel(
                "Decisions by kind", "reqps", (("sum by (kind) (rate(oca_steering_decisions_total[5m]))", "{{kind}}"),)
            ),
            _one(
                "Misses for lack of content",
                "percentunit",
                f"instance:oca_content_miss:ratio_rate30m{FLEET}",
                "{{instance}}",
            ),
            _one("First byte, p99", "s", "instance:oca_first_byte_seconds:p99_rate5m", "{{instance}}"),
            _one("Reports by outcome", "ops", "sum by (outcome) (rate(oca_steering_reports_total[5m]))", "{{outcome}}"),
            _one("Routes", "short", "sum by (standing) (oca_steering_routes)", "{{standing}}"),
        ),
    ),
    "fill": (
        "Fill and store",
        (
            _one("Store used", "percentunit", f"instance:oca_store_used:ratio{BOX}", "{{instance}}"),
            _one("Fetched by source", "Bps", _rate("oca_fill_fetched_bytes_total", "source"), "{{source}}"),
            Panel(
                "The fill that runs, or ran last",
                "bytes",
                (
                    (f"oca_fill_wanted_bytes{BOX}", "{{instance}}, wanted"),
                    (f"oca_fill_present_bytes{BOX}", "{{instance}}, there"),
                ),
            ),
            _one(
                "Fills that ended by outcome",
                "short",
                f"sum by (outcome) (increase(oca_fill_ends_total{BOX}[1d]))",
                "{{outcome}}, a day",
            ),
            _one("Age of the last whole fill", "s", f"time() - (oca_fill_done_seconds{BOX} > 0)", "{{instance}}"),
            _one("Assets held", "short", f"oca_store_assets{BOX}", "{{instance}}"),
            _one("Given to peers", "Bps", f"rate(oca_delivery_fill_sent_bytes_total{BOX}[5m])", "{{instance}}"),
            _one("Plans made", "short", "increase(oca_steering_plans_made_total[1d])", "{{instance}}, a day"),
            _one(
                "Demand taken in by outcome",
                "ops",
                "sum by (outcome) (rate(oca_steering_demand_batches_total[5m]))",
                "{{outcome}}",
            ),
            _one("Scrub", "Bps", f"rate(oca_scrub_read_bytes_total{BOX}[5m])", "{{instance}}"),
            Panel(
                "Packs found bad, out of service",
                "short",
                (
                    (f"sum by (kind) (increase(oca_scrub_faults_total{BOX}[1d]))", "{{kind}}, a day"),
                    (f"oca_store_quarantined_packs{BOX}", "out now"),
                ),
            ),
        ),
    ),
}


def dashboards() -> Iterator[tuple[str, str]]:
    """Each file's name and text."""
    for name, (title, panels) in DASHBOARDS.items():
        yield f"{name}.json", json.dumps(_dashboard(name, title, panels), indent=1, ensure_ascii=False) + "\n"


def _dashboard(name: str, title: str, panels: tuple[Panel, ...]) -> dict[str, Any]:
    source = {"name": "source", "type": "datasource", "query": "prometheus", "label": "Prometheus"}
    boxes = {
        "name": "instance",
        "type": "query",
        "datasource": {"type": "prometheus", "uid": "$source"},
        "query": 'label_values(oca_serving{job="oca"}, instance)',
        "refresh": 2,
        "multi": True,
        "includeAll": True,
        "label": "Box",
    }
    by_box = any("$instance" in expression for panel in panels for expression, _ in panel.draws)
    return {
        "uid": f"oca-{name}",
        "title": f"Open appliance: {title}",
        "tags": ["open-appliance"],
        "schemaVersion": 39,
        "editable": False,
        "time": {"from": "now-24h", "to": "now"},
        "refresh": "1m",
        "templating": {"list": [source, *([boxes] if by_box else [])]},
        "panels": [_panel(number, panel) for number, panel in enumerate(panels)],
    }


def _panel(number: int, panel: Panel) -> dict[str, Any]:
    return {
        "id": number + 1,
        "type": "timeseries",
        "title": panel.title,
        "datasource": {"type": "prometheus", "uid": "$source"},
        "gridPos": {"x": 12 * (number % 2), "y": 8 * (number // 2), "w": 12, "h": 8},
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}},
        "targets": [
            {"refId": chr(ord("A") + at), "expr": expr, "legendFormat": legend}
            for at, (expr, legend) in enumerate(panel.draws)
        ],
    }
