"""How a metric is declared, once, and shown by one Prometheus collector. Which there are is said where they count."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import accumulate
from typing import Literal

from msgspec import Struct
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

Kind = Literal["counter", "gauge", "histogram"]
SUM_UNITS = 1_000_000
"""A histogram's sum is counted in millionths of its unit: slots are whole numbers."""


class Family(Struct, frozen=True, kw_only=True):
    """One metric: its name as scraped, its meaning for whoever is paged, and the values of its label if it has one.

    Attributes:
        name: Prometheus name without the ``oca_`` prefix and the ``_total`` suffix.
        unit: What one count is.
        label: Name of the label; empty for a single value.
        values: Every value the label can take; fixed, so that no client can add series.
        factor: What one count is worth in ``unit``, where it is counted in another than Prometheus wants.
        bounds: A histogram's upper bounds, in its unit, rising; a histogram has no label.
    """

    name: str
    kind: Kind
    unit: str
    help: str
    label: str = ""
    values: tuple[str, ...] = ()
    bounds: tuple[float, ...] = ()
    factor: float = 1.0

    def keys(self) -> tuple[str, ...]:
        """The keys of its slots: ``name``, or ``name:value`` for each value of the label.

        A histogram's: ``name:bound`` for each bound, ``name:+Inf``, ``name:sum``; each observation counts in one bound.
        """
        if self.kind == "histogram":
            return tuple(f"{self.name}:{end}" for end in (*self.bounds, "+Inf", "sum"))
        return tuple(f"{self.name}:{value}" for value in self.values) if self.label else (self.name,)


def slots(families: Iterable[Family]) -> dict[str, int]:
    """Key of every slot → its place in the page."""
    keys = [key for family in families for key in family.keys()]  # noqa: SIM118 - a Family is no mapping
    return {key: place for place, key in enumerate(keys)}


class FamilyCollector(Collector):
    """Shows ``read()``, a mapping of slot keys to values, under the declared names and meanings."""

    def __init__(self, families: Iterable[Family], read: Callable[[], Mapping[str, int]]) -> None:
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


def registry_of(*shown: tuple[Iterable[Family], Callable[[], Mapping[str, int]]]) -> CollectorRegistry:
    """What one ``/metrics`` shows: families, each with who reads their values."""
    registry = CollectorRegistry()
    for families, read in shown:
        registry.register(FamilyCollector(families, read))
    return registry


def _histogram(family: Family, values: Mapping[str, int]) -> Metric:
    *ends, total = family.keys()
    below = accumulate(values.get(end, 0) for end in ends)
    buckets = [(end.rpartition(":")[2], float(count)) for end, count in zip(ends, below, strict=True)]
    metric = HistogramMetricFamily(f"oca_{family.name}", family.help)
    metric.add_metric([], buckets, sum_value=values.get(total, 0) / SUM_UNITS)
    return metric
