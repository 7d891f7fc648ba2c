"""What is wrong with the routes that appliances hear, for whoever can mend it. Pure.

One walk over all prefixes; sets of claims are few, so each is judged once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from msgspec import Struct

from oca.common.prefix import Prefix
from steering.routes.claims import Claims
from steering.routes.reach import Heard, Reach

EXAMPLES_MAX = 5
FINDINGS_MAX = 1000


class Finding(Struct, frozen=True):
    """One thing that is wrong; ``examples`` are some of its ``prefixes``."""

    kind: str
    site: str
    appliance: str
    prefixes: int
    examples: list[str]
    why: str
    remedy: str


class HeardView(Struct, frozen=True):
    """What one appliance hears."""

    appliance: str
    site: str
    routes: int
    set_aside: int
    digest: str


class AuditView(Struct, frozen=True):
    """The body of ``/v1/routes/audit``; ``appliances`` are those that hear anything."""

    prefixes: int
    appliances: list[HeardView]
    findings: list[Finding]


@dataclass(slots=True)
class _Some:
    """How many prefixes, and some of them."""

    count: int = 0
    examples: list[str] = field(default_factory=list)

    def add(self, prefix: Prefix) -> None:
        self.count += 1
        if len(self.examples) < EXAMPLES_MAX:
            self.examples.append(str(prefix))

    def join(self, other: _Some) -> None:
        self.count += other.count
        self.examples = [*self.examples, *other.examples][:EXAMPLES_MAX]


def audit(reach: Reach) -> AuditView:
    """Look at every claim."""
    by_claims: defaultdict[Claims, _Some] = defaultdict(_Some)
    for prefix, claims in reach.claims.items():
        by_claims[claims].add(prefix)
    findings = [*_conflicts(by_claims), *_uneven(reach, by_claims), *_absurd(reach)]
    heard = [
        HeardView(name, one.site, one.routes, len(one.set_aside), one.digest_hex)
        for name, one in reach.heard.items()
        if one.batches
    ]
    return AuditView(sum(some.count for some in by_claims.values()), heard, findings[:FINDINGS_MAX])


def _conflicts(by_claims: dict[Claims, _Some]) -> Iterator[Finding]:
    for claims, some in by_claims.items():
        if claims.conflict:
            sites = ", ".join(sorted({member.site for member in claims.members}))
            yield Finding(
                "two-isps",
                sites,
                "",
                some.count,
                some.examples,
                f"{claims.conflict}; neither steers",
                "ask both ISPs; settle it by [[site]] prefixes or within, or give sites of one ISP the same isp",
            )


def _uneven(reach: Reach, by_claims: dict[Claims, _Some]) -> Iterator[Finding]:
    """Boxes of a site that do not hear what another of them hears: what they lack is not sent to them by the ISP."""
    boxes: defaultdict[str, set[str]] = defaultdict(set)
    for name, one in reach.heard.items():
        if one.batches:
            boxes[one.site].add(name)
    lacks: defaultdict[tuple[str, str], _Some] = defaultdict(_Some)
    for claims, some in by_claims.items():
        hearing: defaultdict[str, set[str]] = defaultdict(set)
        for member in claims.members:
            if member.appliance:
                hearing[member.site].add(member.appliance)
        for site, names in hearing.items():
            for name in boxes[site] - names:
                lacks[site, name].join(some)
    for (site, name), some in sorted(lacks.items()):
        yield Finding(
            "uneven",
            site,
            name,
            some.count,
            some.examples,
            "does not hear what other boxes of its site hear",
            "have the ISP announce the same prefixes on every session of the site",
        )


def _absurd(reach: Reach) -> Iterator[Finding]:
    for name, one in sorted(reach.heard.items()):
        for why, some in sorted(_by_reason(one).items()):
            yield Finding(
                "set-aside",
                one.site,
                name,
                some.count,
                some.examples,
                f"{why}; it steers nobody",
                "have the ISP filter what it announces; [routes] allow lets a prefix count that is meant",
            )


def _by_reason(heard: Heard) -> dict[str, _Some]:
    found: defaultdict[str, _Some] = defaultdict(_Some)
    for prefix, (_, why) in list(heard.set_aside.items()):
        found[why].add(prefix)
    return found
