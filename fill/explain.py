"""Why tonight would do with an asset what it would do, for ``oca-fill plan --explain``. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from msgspec import Struct

from fill.budget import expected_ratio
from fill.preview import Preview
from fill.steps import reach
from fill.tables import BudgetTable, LadderTable
from oca.common.messages import AssetManifest, PlannedAsset
from oca.common.units import format_bytes, format_duration, format_instant


class SourceStep(Struct, frozen=True):
    """One source, and in how long it may be asked."""

    kind: str
    url: str
    appliance: str
    in_s: float


class Explanation(Struct, frozen=True):
    """One asset of the plan."""

    asset: str
    action: Literal["keep", "evict", "fetch", "skip", "leave"]
    why: str
    place: int
    places: int
    bytes: int
    popularity: float
    expected_ratio: float
    release_at_ns: int
    urgent: bool
    master: bool
    sources: tuple[SourceStep, ...]
    window: str


def explain(
    planned: PlannedAsset,
    preview: Preview,
    manifest: AssetManifest,
    *,
    ladder: LadderTable,
    budget: BudgetTable,
    window: str,
) -> Explanation:
    """What a fill would do with ``planned``, and whom it would ask when."""
    steps = [step for step in preview.steps if step.action != "evict"]
    place, step = next((n, step) for n, step in enumerate(steps, start=1) if step.asset == planned.asset)
    return Explanation(
        asset=planned.asset,
        action=step.action,
        why=step.why,
        place=place,
        places=len(steps),
        bytes=planned.bytes,
        popularity=planned.popularity,
        expected_ratio=expected_ratio(planned, budget),
        release_at_ns=planned.release_at_ns,
        urgent=planned.urgent,
        master=manifest.master,
        sources=tuple(_steps(manifest, ladder)),
        window=window,
    )


def in_words(found: Explanation) -> Iterator[str]:
    """The explanation, line by line."""
    does = {"keep": "is held", "fetch": "would be fetched", "skip": "finds no room", "leave": "is left out"}
    yield f"{found.asset} {does[found.action]}: {found.why}"
    yield (
        f"  {found.place} of {found.places} in order; {format_bytes(found.bytes)}; expected to be served "
        f"{found.popularity:.2f} times its size a day, {found.expected_ratio:.2f} times over budget.days"
    )
    if found.release_at_ns:
        urgent = "; urgent: it is fetched outside the window, too" if found.urgent else ""
        yield f"  released at {format_instant(found.release_at_ns)}{urgent}"
    yield f"  {found.window}"
    role = "brings it to this site" if found.master else "waits for a peer that brings it"
    yield f"  this appliance {role}"
    for source in found.sources:
        when = "at once" if not source.in_s else f"after {format_duration(source.in_s)}"
        yield f"  {source.kind:<6} {source.url} {source.appliance or ''} {when}".rstrip()
    if not found.sources:
        yield "  nobody has it that steering knows of"


def _steps(manifest: AssetManifest, ladder: LadderTable) -> Iterator[SourceStep]:
    for source in manifest.sources:
        found = reach([source], master=manifest.master, waited_s=0.0, waits=ladder)
        yield SourceStep(source.kind, source.url, source.appliance or "", found.more_in_s or 0.0)
