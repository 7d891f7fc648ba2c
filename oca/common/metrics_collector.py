"""Shows declared metrics to Prometheus; apart from the declarations, for delivery workers load those alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import accumulate

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from oca.common.metrics import SUM_UNITS, Family


class FamilyCollector(Collector):
    """Shows ``read()``, a mapping of slot keys to values, under the declared names and meanings."""

    def __init__(self, families: Iterable[Family], read: Callable[[], Mapping[str, float]]) -> None:
        self._families = tuple(families)
        self._read = read

    def collect(self) -> Iterator[Metric]:
        """One Prometheus metric per family."""
        values = self._read()
        for family in self._families:
            if family.kind == "histogram":
                yield _histogram(family, values)
                continue
            kind = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
            metric = kind(f"oca_{family.name}", family.help, labels=[family.label] if family.label else [])
            for key in family.keys():  # noqa: SIM118
                label = [key.partition(":")[2]] if family.label else []
                metric.add_metric(label, values.get(key, 0) * family.factor)
            yield metric


def registry_of(*shown: tuple[Iterable[Family], Callable[[], Mapping[str, float]]]) -> CollectorRegistry:
    """What one ``/metrics`` shows: families, each with who reads their values."""
    registry = CollectorRegistry()
    for families, read in shown:
        registry.register(FamilyCollector(families, read))
    return registry


def _histogram(family: Family, values: Mapping[str, float]) -> Metric:
    *ends, total = family.keys()
    below = accumulate(values.get(end, 0) for end in ends)
    buckets = [(end.rpartition(":")[2], float(count)) for end, count in zip(ends, below, strict=True)]
    metric = HistogramMetricFamily(f"oca_{family.name}", family.help)
    metric.add_metric([], buckets, sum_value=values.get(total, 0) / SUM_UNITS)
    return metric
