"""Why a source stands where it does, put into words only where they are told. Pure."""

from __future__ import annotations

from typing import Protocol, final

from mypy_extensions import mypyc_attr

from steering.decision.candidates import Fit
from steering.decision.order import RankedSite
from steering.decision.viewer import Viewer


class Why(Protocol):
    """Why a source stands where it does."""

    def text(self) -> str:
        """In words."""


@final
class Said:
    """Reasons that are the same for every viewer."""

    __slots__ = ("words",)

    def __init__(self, words: str) -> None:
        self.words = words

    def text(self) -> str:
        """In words."""
        return self.words


CDN = Said("a commercial CDN: for those whom no appliance has room for")
ORIGIN = Said("last resort: the origin holds everything")
AGAIN = Said("the same once more: players give up without a second pathway")


@final
@mypyc_attr(acyclic=True)
class Reasons:
    """Why an appliance stands where it does.

    Attributes:
        before: How many stand before it.
        fit: Itself.
        wanted: How many assets the title has.
        viewer: Whom it is offered.
        now_s: The clock that ``Candidate.heard`` goes by.
    """

    __slots__ = ("before", "fit", "now_s", "viewer", "wanted")

    def __init__(self, before: int, fit: Fit, wanted: int, viewer: Viewer, now_s: float) -> None:
        self.before, self.fit, self.wanted, self.viewer, self.now_s = before, fit, wanted, viewer, now_s

    def text(self) -> str:
        """In words."""
        fit, viewer = self.fit, self.viewer
        candidate, ranked, count = fit.candidate, fit.ranked, len(fit.holds)
        holds = "holds it whole" if count == self.wanted else f"holds {count} of its {self.wanted} assets"
        number = f"number {self.before + 1}" if self.before else "nearest"
        if not ranked.words:  # the same for all boxes of the site, and for all viewers of one order
            ranked.words = _place(ranked, viewer)
        takes = _takes(fit, viewer) if candidate.share < 1.0 or viewer.slowed else ""
        return f"{number}: {ranked.words}; {holds}; {candidate.why(self.now_s)}{takes}"


def _takes(fit: Fit, viewer: Viewer) -> str:
    candidate = fit.candidate
    slowed = viewer.slowed.get(candidate.appliance)
    told = f"; {slowed.why}" if slowed is not None else ""
    left = candidate.share * viewer.left_of(candidate.appliance)
    full = f"{candidate.full}: " if candidate.full else ""
    return told if left >= 1 else f"{told}; {full}takes {left:.0%} of its viewers"


def _place(ranked: RankedSite, client: Viewer) -> str:
    site, away = ranked.site, ranked.distance_km
    claim = client.reach[ranked.reach].of_site(site.id) if ranked.reach >= 0 else None
    if claim is not None:
        reach = f"client in its prefix {client.prefix(ranked.reach)} {claim.path}"
    else:
        reach = "serves any client"
    place = f"{int(away + 0.5)} km from {client.home}" if away is not None else "client in no prefix"
    return f"{site.class_} site {site.id}: {reach}, {place}"
