"""The boxes of each site as the decision sees them, judged anew when something about them may have changed."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from operator import attrgetter

from steering.decision.candidate import Candidate, candidate_of
from steering.decision.candidates import Held, Look, Rack
from steering.decision.expected import Expected
from steering.decision.load import CAPACITY_UNKNOWN, use_ratio
from steering.fleet.fleet import Fleet, Member
from steering.fleet.holders import TitleHolders
from steering.fleet.liveness import Heard
from steering.recent import Recent
from steering.settings import FleetTable, Site

STANDING_S = 1.0
"""How long a box is not judged anew that is not plainly well, unless it reports or is due to."""
KEYS_KEPT = 64
"""Sets of keys that boxes have reported: nearly all the same, so that decisions find one in the processor's cache."""
_NOTED = 0.01


_by = attrgetter("share", "capacity", "keys", "url", "kept", "full")
"""What decisions go by and tell, of boxes that are plainly well."""


class _Kept:
    """The rack of a site as it stood when last looked at; ``until_s``: when to look again, in all and at each box."""

    __slots__ = ("boxes_until_s", "encoded", "names", "number", "rack", "until_s")

    def __init__(self, number: int, names: tuple[str, ...], boxes: list[Candidate]) -> None:
        self.number = number
        self.names = names
        self.encoded = [name.encode() for name in names]
        self.rack = Rack(boxes, self.encoded)
        self.boxes_until_s = [-inf] * len(names)
        self.until_s = -inf


class Racks:
    """Of a whole fleet; instants are on a clock that never steps."""

    def __init__(self, sites: Mapping[str, Site], fleet: Fleet, settings: FleetTable) -> None:
        self._fleet = fleet
        self._settings = settings
        self._expected = Expected()
        self._keys: Recent[tuple[str, ...], tuple[str, ...]] = Recent(KEYS_KEPT)
        self._racks: dict[str, _Kept] = {}
        self._places: dict[str, tuple[_Kept, int]] = {}
        for site in sites.values():
            names = tuple(entry.id for entry in site.appliance)
            number = fleet.holders.site_numbers.get(site.id, -1)  # one without boxes has none
            kept = self._racks[site.id] = _Kept(number, names, [self._box(name, 0.0) for name in names])
            self._places.update({name: (kept, index) for index, name in enumerate(names)})

    def look_for(self, holders: TitleHolders | None, now_s: float, *, anew: bool = False) -> Look:
        """Boxes by site, each with what it holds of a title; a verdict is good until its report is too old.

        ``anew``: judged now, whatever is kept.
        """
        racks, judge = self._racks, self._judge
        sites: Mapping[int, Held] = holders.sites if holders is not None else {}

        def look(site: str) -> tuple[Rack, Held]:
            kept = racks[site]
            if anew:
                return self.judged(site, now_s), sites.get(kept.number)
            if now_s >= kept.until_s:
                judge(kept, now_s)
            return kept.rack, sites.get(kept.number)

        return look

    def judged(self, site: str, now_s: float) -> Rack:
        """The boxes of a site, judged now, whatever is kept."""
        return Rack([self._box(name, now_s) for name in self._racks[site].names])

    def _judge(self, kept: _Kept, now_s: float) -> None:
        boxes, untils_s = kept.rack.boxes, kept.boxes_until_s
        for index, until_s in enumerate(untils_s):
            if now_s < until_s:
                continue
            name, before = kept.names[index], boxes[index]
            heard, limit_s = before.heard, self._fleet.age_limit_s
            if heard is not None and until_s > -inf and now_s < heard.at_s + limit_s:
                untils_s[index] = heard.at_s + limit_s  # heard since, and as well as before
                continue
            box = self._box(name, now_s)
            too_old_at_s = self._fleet.members[name].received_at_s + limit_s
            if box.heard is not None:
                untils_s[index] = too_old_at_s
                if heard is not None and _by(before) == _by(box):
                    heard.at_s = box.heard.at_s
                    continue
            else:
                again_s = now_s + STANDING_S
                untils_s[index] = too_old_at_s if now_s < too_old_at_s < again_s else again_s
            boxes = [*boxes[:index], box, *boxes[index + 1 :]]
        kept.until_s = min(untils_s, default=inf)
        if boxes is not kept.rack.boxes:
            kept.rack = Rack(boxes, kept.encoded)

    def heard(self, appliance: str) -> None:
        """Its report has come, or something else about it has changed: it is judged anew when it is looked at.

        Most reports change nothing that decisions go by. That is seen here, while the report is at hand: to find it
        again later, in memory that has grown cold, takes several times as long.
        """
        kept, index = self._places[appliance]
        box, member = kept.rack.boxes[index], self._fleet.members[appliance]
        is_later = box.heard is not None and member.received_at_s >= box.heard.at_s  # reports can come by others, late
        if box.heard is not None and is_later and self._is_as_before(box, member):
            box.heard.at_s = member.received_at_s
        else:
            kept.boxes_until_s[index] = kept.until_s = -inf

    def _is_as_before(self, box: Candidate, member: Member) -> bool:
        """Whether nothing but the age of its report is new of a box that was plainly well and takes whoever comes."""
        report, settings = member.report, self._settings
        if report is None or report.serving != "serving" or report.health.verdict != "ok" or box.share < 1.0:
            return False
        load = report.load
        return (
            use_ratio(load, by_cpu=settings.shed_by_cpu) <= settings.shed_from_ratio
            and box.capacity == (load.link_bytes_per_s or CAPACITY_UNKNOWN)
            and box.keys == tuple(report.keys)
            and box.url == report.delivery_urls[0].rstrip("/")
            and not self._fleet.has_beside(box.appliance)
            and not self._expected.has_sent(box.appliance)
        )

    def expect(self, appliance: str, now_s: float) -> None:
        """A viewer is on its way there; it is judged anew once such viewers come to a hundredth of the box."""
        report = self._fleet.members[appliance].report if appliance in self._places else None
        if report is None or not report.load.link_bytes_per_s:
            return
        step = report.load.link_bytes_per_s * _NOTED / (self._settings.viewer_bits_per_s / 8)
        if self._expected.send(appliance, now_s) % max(1, int(step)) == 0:
            self.heard(appliance)

    def _box(self, appliance: str, now_s: float) -> Candidate:
        member = self._fleet.members[appliance]
        report, liveness = member.report, self._fleet.liveness(appliance, now_s)
        if report is None:
            return Candidate(appliance, "", liveness)
        keys = tuple(report.keys)
        shared = self._keys.get(keys)
        if shared is None:
            self._keys.put(keys, shared := keys)
        viewers = self._expected.viewers(appliance, now_s)
        is_plain = liveness.standing == "up" and liveness.weight == 1.0 and not viewers and not member.is_held
        return candidate_of(
            appliance,
            liveness,
            report.load,
            self._settings,
            expected_bytes_per_s=viewers * self._settings.viewer_bits_per_s / 8,
            url=report.delivery_urls[0].rstrip("/"),
            keys=shared,
            heard=Heard(member.received_at_s, self._fleet.age_limit_s) if is_plain else None,
        )
