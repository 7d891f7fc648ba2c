"""Decisions as spans of the request that asked for them; in use where traces are on, so that nothing is paid else."""

from __future__ import annotations

from collections.abc import Sequence

from oca.common.tracing import Tracing
from steering.decision.address import Address
from steering.decision.decider import Decider, Decision
from steering.decision.edition import Edition
from steering.metrics import Counts
from steering.settings import SteeringSettings
from steering.signing import Signing
from steering.titles.catalogue import Catalogue


class TracedDecider(Decider):
    """Of the viewer a span tells the site that its network belongs to: no address, no prefix."""

    def __init__(
        self, settings: SteeringSettings, catalogue: Catalogue, counts: Counts, signing: Signing, tracing: Tracing
    ) -> None:
        super().__init__(settings, catalogue, counts, signing)
        self._tracing = tracing

    def decide(
        self,
        edition: Edition,
        client: Address,
        *,
        kind: str,
        explain: bool = False,
        playing: str = "",
        declared: Sequence[str] = (),
    ) -> Decision:
        """As ``Decider`` does."""
        with self._tracing.child("decide", {"oca.decision.kind": kind, "oca.title": edition.id}) as span:
            decision = super().decide(edition, client, kind=kind, explain=explain, playing=playing, declared=declared)
            ranking = decision.ranking
            first = ranking.pathways[0] if ranking.pathways else None
            span.set(
                {
                    "oca.viewer.site": decision.viewer.home,
                    "oca.viewer.region": decision.viewer.region,
                    "oca.pathways": len(ranking.pathways),
                    "oca.first.pathway": first.pathway if first is not None else "",
                    "oca.first.class": first.source_class if first is not None else "none",
                    "oca.first.site": first.site if first is not None else "",
                }
            )
        return decision


def new_decider(
    settings: SteeringSettings, catalogue: Catalogue, counts: Counts, signing: Signing, tracing: Tracing
) -> Decider:
    """One that traces where traces are on."""
    if tracing.is_on:
        return TracedDecider(settings, catalogue, counts, signing, tracing)
    return Decider(settings, catalogue, counts, signing)
