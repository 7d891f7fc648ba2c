"""What steering knows of the appliances: the last report of each, when it came, and what it holds.

Soft state: it is back within one report interval of a restart; until then first_reports holds viewers back.
Judging it is liveness's business.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

from msgspec.structs import replace

from oca.common.messages import FillProgress, Report
from steering.fleet.absences import NEVER_AWAY, Absences, come_back
from steering.fleet.holders import Holders
from steering.fleet.liveness import NEVER_REPORTED, NOTHING_BESIDE, Beside, Liveness, judge, returning

_BOOTS_REMEMBERED = 16
_UNREACHABLE_HOSTS = ("0.0.0.0", "::", "")
Outcome = Literal["taken", "stale", "rival"]


@dataclass(slots=True)
class Member:
    """One appliance as last heard of; what it holds, ``Fleet.holders`` knows."""

    report: Report | None = None
    received_at_s: float = 0.0
    contents_digest: str = ""
    fill: FillProgress | None = None
    past_boots: deque[str] = field(default_factory=lambda: deque(maxlen=_BOOTS_REMEMBERED))
    rivals: int = 0  # reports of past boots since a boot was first heard of
    absences: Absences = NEVER_AWAY
    is_held: bool = False  # as last known from another instance, which cannot be heard now


class Fleet:
    """The last report per appliance, and who holds which asset."""

    def __init__(self, site_of: Mapping[str, str], *, age_limit_s: float, return_s: float = 0.0) -> None:
        """For these appliances, each with its site; ``return_s`` as in ``[fleet]``."""
        self.age_limit_s = age_limit_s
        self.return_s = return_s
        self.members: Mapping[str, Member] = {appliance: Member() for appliance in site_of}
        self.holders = Holders(site_of)
        self._beside: dict[str, Beside] = {}

    def observe(self, report: Report, now_s: float) -> Outcome:
        """Take a report in, unless a newer one from the same boot came before it, or a later boot reports.

        A later boot rules only while it is heard of: a single report from a box of the same name, or a forged one,
        must not lock the right one out.
        """
        member = self.members[report.appliance]
        last = member.report
        if last is not None and report.boot_id != last.boot_id:
            if report.boot_id not in member.past_boots:
                member.rivals = 0
            elif now_s - member.received_at_s <= self.age_limit_s:
                member.rivals += 1
                return "rival"
            else:
                member.past_boots.remove(report.boot_id)
            member.past_boots.append(last.boot_id)
        elif last is not None and report.sequence <= last.sequence:
            return "stale"
        if report.contents.assets is not None:
            self.holders.put(report.appliance, ((item.asset, item.revision) for item in report.contents.assets))
            member.contents_digest = report.contents.digest
        gone_at_s = member.received_at_s + self.age_limit_s
        if last is not None and now_s > gone_at_s:
            member.absences = come_back(member.absences, gone_at_s, now_s, settle_s=self.return_s)
        # The list lives in ``holders`` and demand in the state; keeping both here too would double a fleet's memory.
        member.report = _without_lists(report)
        member.received_at_s = now_s
        return "taken"

    def contents_wanted(self, report: Report) -> bool:
        """Whether the appliance should send the list of what it holds."""
        return self.members[report.appliance].contents_digest != report.contents.digest

    def progress(self, progress: FillProgress) -> None:
        """Remember how its fill stands."""
        self.members[progress.appliance].fill = progress

    def liveness(self, appliance: str, now_s: float) -> Liveness:
        """The verdict on an appliance now."""
        member = self.members.get(appliance)
        if member is None or member.report is None:
            return NEVER_REPORTED
        beside = self._beside.get(appliance, NOTHING_BESIDE)
        if now_s < member.absences.settled_at_s:
            beside = beside._replace(returning=returning(member.absences, now_s))
        liveness = judge(member.report, now_s - member.received_at_s, self.age_limit_s, beside)
        if member.is_held:
            liveness = liveness._replace(why=f"{liveness.why}; as last known from another instance")
        return liveness

    def has_beside(self, appliance: str) -> bool:
        """Whether anything but its report is said of it: by others, or by its absences as they stood at that report."""
        member = self.members[appliance]
        return member.is_held or appliance in self._beside or member.received_at_s < member.absences.settled_at_s

    def is_heard(self, appliance: str, now_s: float) -> bool:
        """Whether its reports come."""
        member = self.members[appliance]
        return member.report is not None and now_s - member.received_at_s <= self.age_limit_s

    def note(self, appliance: str, **changes: str) -> bool:
        """Take note of what is known of an appliance beside its report (``Beside``); whether that is new."""
        before = self._beside.get(appliance, NOTHING_BESIDE)
        after = before._replace(**changes)
        if after == NOTHING_BESIDE:
            self._beside.pop(appliance, None)
        else:
            self._beside[appliance] = after
        return after != before


def delivery_url_fault(url: str) -> str:
    """Why players could not use this delivery URL, or an empty string."""
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname or ""
    except ValueError as error:
        return str(error)
    if port == 0:
        return "port 0 cannot be reached"
    if host in _UNREACHABLE_HOSTS:
        return f"players cannot reach the address {host or 'of no host'}"
    return ""


def _without_lists(report: Report) -> Report:
    if report.contents.assets is None and report.demand is None and report.quality is None:
        return report  # as most are
    return replace(report, contents=replace(report.contents, assets=None), demand=None, quality=None)
