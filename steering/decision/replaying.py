"""Decisions made again from their log, compared with what was decided: what moves, and what that costs. Pure."""

from __future__ import annotations

from collections import Counter

from msgspec import Struct
from msgspec import field as member

from steering.decision.again import FALLBACK, Again
from steering.decision.record import Begun, BoxSeen, Seen
from steering.geography import distance_km

NOBODY = "nobody"
_CLASSES = ("embedded", "peering", "regional", FALLBACK, NOBODY)


class ClassShare(Struct, frozen=True):
    """Decisions whose first pathway is of a class; ``nobody``: there was none."""

    source_class: str = member(name="class")
    before: int
    after: int


class SiteShare(Struct, frozen=True):
    """Decisions whose first pathway is at a site, the most changed first; ``fallback`` is the origin."""

    site: str
    before: int
    after: int


class Move(Struct, frozen=True):
    """Decisions that went from one appliance to another."""

    before: str
    after: str
    decisions: int


class BoxShare(Struct, frozen=True):
    """What an appliance gets, and what it would send: as much more as those who come sent where they were.

    Attributes:
        use_before: Share of its links in use when it was last seen; None where their speed is not known.
        use_after: The same with its share of decisions then.
        overfull: Whether that is beyond [fleet] full_ratio, which it was not before.
    """

    appliance: str
    site: str
    before: int
    after: int
    sent_bytes_per_s: float
    after_bytes_per_s: float
    use_before: float | None
    use_after: float | None
    overfull: bool


class Replayed(Struct, frozen=True):
    """The outcome.

    Attributes:
        decisions: Made again.
        spoilt: Lines that could not be read.
        moved: Decisions with another first pathway.
        km_before: Mean distance of the first pathway from the client's site, of those where both are known.
        unseen: Sites that are new or of another class, whose boxes others' decisions did not look at.
    """

    decisions: int
    spoilt: int
    first_at_ns: int
    last_at_ns: int
    moved: int
    km_before: float | None
    km_after: float | None
    classes: list[ClassShare]
    sites: list[SiteShare]
    moves: list[Move]
    appliances: list[BoxShare]
    unseen: list[str]


class Replay:
    """Adds up what ``Again`` makes of records; ``add`` takes them one by one, file by file."""

    def __init__(self, again: Again) -> None:
        self._again = again
        self._settings = again.settings
        self._spoilt = self._decisions = self._moved = 0
        self._first_at_ns = self._last_at_ns = 0
        self._km: list[float] = [0.0, 0.0]
        self._far = 0
        self._classes: tuple[Counter[str], Counter[str]] = (Counter(), Counter())
        self._boxes: tuple[Counter[str], Counter[str]] = (Counter(), Counter())
        self._moves: Counter[tuple[str, str]] = Counter()
        self._last: dict[str, BoxSeen] = {}
        self._site_of: dict[str, str] = {}
        self._then: dict[str, tuple[str, float, float]] = {}
        self._unseen: set[str] = set()

    def add(self, record: Begun | Seen | None) -> None:
        """Take the next record; None: a line that is none."""
        if record is None:
            self._spoilt += 1
        elif isinstance(record, Begun):
            self._then = {site.site: (site.site_class, site.latitude, site.longitude) for site in record.sites}
            self._unseen.update(
                site.id
                for site in self._again.sites.values()
                if site.class_ != "embedded" and self._then.get(site.id, ("",))[0] != site.class_
            )
        else:
            self._compare(record)

    def _compare(self, seen: Seen) -> None:
        self._decisions += 1
        self._first_at_ns = min(self._first_at_ns or seen.at_ns, seen.at_ns)
        self._last_at_ns = max(self._last_at_ns, seen.at_ns)
        for site in seen.sites:
            for box in site.boxes:
                self._last[box.appliance] = box
                self._site_of[box.appliance] = site.site
        ranking = self._again.rank(seen)
        first = ranking.pathways[0] if ranking.pathways else None
        after = NOBODY if first is None else FALLBACK if first.holds is None else first.pathway
        before = NOBODY if not seen.chosen else seen.chosen[0] if seen.chosen[0] in self._site_of else FALLBACK
        self._moved += before != after
        self._moves[before, after] += before != after
        self._boxes[0][before] += 1
        self._boxes[1][after] += 1
        self._classes[0][self._class_then(before)] += 1
        self._classes[1][first.source_class if first is not None else NOBODY] += 1
        km = self._km_then(seen.home, before), first.distance_km if first is not None else None
        if km[0] is not None and km[1] is not None:
            self._far += 1
            self._km[0] += km[0]
            self._km[1] += km[1]

    def _class_then(self, box: str) -> str:
        known = self._then.get(self._site_of.get(box, ""))
        return known[0] if known is not None else box

    def _km_then(self, home: str, box: str) -> float | None:
        here, there = self._then.get(home), self._then.get(self._site_of.get(box, ""))
        return distance_km(*here[1:], *there[1:]) if here is not None and there is not None else None

    def outcome(self, *, moves_max: int = 100) -> Replayed:
        """All that was added up; of the moves, the most frequent."""
        sites: tuple[Counter[str], Counter[str]] = (Counter(), Counter())
        for side, boxes in zip(sites, self._boxes, strict=True):
            for box, count in boxes.items():
                side[self._site_of.get(box, box)] += count
        changed = sorted(
            sites[0] | sites[1], key=lambda site: (-abs(sites[1][site] - sites[0][site]), -sites[0][site], site)
        )
        moves = sorted((item for item in self._moves.items() if item[1]), key=lambda item: (-item[1], item[0]))
        return Replayed(
            decisions=self._decisions,
            spoilt=self._spoilt,
            first_at_ns=self._first_at_ns,
            last_at_ns=self._last_at_ns,
            moved=self._moved,
            km_before=self._km[0] / self._far if self._far else None,
            km_after=self._km[1] / self._far if self._far else None,
            classes=[ClassShare(name, self._classes[0][name], self._classes[1][name]) for name in _CLASSES],
            sites=[SiteShare(site, sites[0][site], sites[1][site]) for site in changed],
            moves=[Move(before, after, count) for (before, after), count in moves[:moves_max]],
            appliances=self._shares(),
            unseen=sorted(self._unseen),
        )

    def _shares(self) -> list[BoxShare]:
        """By appliance, those that get most more first; who moves takes along what a viewer was worth where it was."""
        before, after = self._boxes
        sent = {name: box.sent_bytes_per_s for name, box in self._last.items()}
        serving = [name for name in sent if before[name]]
        decided = sum(before[name] for name in serving)
        usual = sum(sent[name] for name in serving) / decided if decided else 0.0
        then = dict(sent)
        for (left, found), count in self._moves.items():
            worth = count * (sent[left] / before[left] if left in sent else usual)
            if left in then:
                then[left] = max(0.0, then[left] - worth)
            if found in then:
                then[found] += worth
        shares = []
        for name, box in self._last.items():
            links = box.link_bytes_per_s
            use = (sent[name] / links, then[name] / links) if links else None
            full = self._settings.fleet.full_ratio
            shares.append(
                BoxShare(
                    appliance=name,
                    site=self._site_of[name],
                    before=before[name],
                    after=after[name],
                    sent_bytes_per_s=box.sent_bytes_per_s,
                    after_bytes_per_s=then[name],
                    use_before=use[0] if use is not None else None,
                    use_after=use[1] if use is not None else None,
                    overfull=use is not None and use[1] >= full > use[0],
                )
            )
        return sorted(shares, key=lambda share: (share.before - share.after, share.appliance))
