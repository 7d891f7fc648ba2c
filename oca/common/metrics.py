"""How a metric is declared, once. Which there are is said where they count; ``metrics_collector`` shows them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from msgspec import Struct

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
