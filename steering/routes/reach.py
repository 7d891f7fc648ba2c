"""Who is near whom: the prefixes that sites claim, by lists and by BGP, kept up by changes.

Absurd claims are remembered, so that digests agree, but steer nobody. Pure: batches come in, in slices small enough
that viewers are answered between them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from oca.common.prefix import Prefix, absurdity, parse_prefix, read_prefix
from oca.common.routes import PathAttributes, RouteBatch, route_digest
from steering.routes.claims import Claim, Claims, ClaimSets
from steering.routes.prefixes import PrefixMap
from steering.settings import RoutesTable, Site

SLICE_ROUTES = 256
GROUP_ROUTES = 4
"""What a group of prefixes with a path of their own costs beside them, in prefixes."""
WALK_PREFIXES = 2048
LET_GO = 8192
"""Numbers of prefixes that are freed at once; a table's 1.2 M took 116 ms on a busy machine."""
_GIVEN_UP = 2**128 - 1
"""Where a table stands of which nobody can say so: all of it is wanted."""
_NO_CLAIM: tuple[PathAttributes | None, str] = (None, "")
_NONE: frozenset[int] = frozenset()


@dataclass(slots=True)
class Heard:
    """What one appliance hears: ``digest`` and ``routes`` of its table, absurd ones among them."""

    site: str
    digest: int = 0
    routes: int = 0
    batches: int = 0
    set_aside: dict[Prefix, tuple[PathAttributes, str]] = field(default_factory=dict)
    fresh: defaultdict[tuple[int, int], set[int]] | None = None
    """While a whole table is coming: what of it has come, by version and length."""
    untold: int = 0
    """How many claims from before that table are left that have not come in it."""

    @property
    def digest_hex(self) -> str:
        """The digest as messages have it."""
        return f"{self.digest:032x}"

    def has_told(self, prefix: Prefix) -> bool:
        """Whether what it claimed of ``prefix`` is of the table that is coming, or of one that has come whole."""
        return self.fresh is None or prefix.number in self.fresh.get(prefix[:2], _NONE)


class Reach:
    """Every claim to every prefix."""

    def __init__(self, sites: Iterable[Site], routes: RoutesTable) -> None:
        self.sites: Mapping[str, Site] = {site.id: site for site in sites}
        self.heard = {entry.id: Heard(site.id) for site in self.sites.values() for entry in site.appliance}
        self.claims: PrefixMap[Claims] = PrefixMap()
        self.sets = ClaimSets(self.sites.values())
        self._routes_max = routes.appliance_routes_max
        self._allowed = [read_prefix(text) for text in routes.allow]
        self._within = {site.id: [read_prefix(text) for text in site.within] for site in self.sites.values()}
        self._owned: PrefixMap[str] = PrefixMap()
        self._listed: dict[str, set[Prefix]] = {name: set() for name in self.sites}
        for site in self.sites.values():
            self.put_list(site.id, site.prefixes)

    def put_list(self, site: str, texts: Iterable[str]) -> None:
        """Set the prefixes that an operator lists for ``site``; they have been checked."""
        wanted = {read_prefix(text) for text in texts}
        claim = Claim(site, "", None)
        for prefix in self._listed[site] - wanted:
            self._change(prefix, without=claim)
            self._owned.table(prefix.version, prefix.length).pop(prefix.number, None)
        for prefix in wanted - self._listed[site]:
            self._change(prefix, also=claim)
            self._owned.put(prefix, self.sets.isp_of[site])
        if wanted != self._listed[site]:
            self._ask_anew(site)
        self._listed[site] = wanted

    def _ask_anew(self, site: str) -> None:
        """What is in whose space has changed: have the others' tables judged again, by having them sent again."""
        for heard in self.heard.values():
            if heard.routes and self.sets.isp_of[heard.site] != self.sets.isp_of[site]:
                heard.digest ^= 1

    def doubt(self, appliance: str) -> None:
        """Have the appliance send its whole table again, unless it is just doing so."""
        if self.heard[appliance].fresh is None:
            self.heard[appliance].digest ^= 1

    def full_wanted(self, appliance: str, digest: str) -> bool:
        """Whether ``appliance``, which believes that its table stands at ``digest`` here, must send it whole."""
        return self.heard[appliance].digest_hex != digest

    def take(self, appliance: str, batch: RouteBatch) -> Iterator[str]:
        """Take a batch in, a slice at each step.

        Yields:
            An empty string after each slice; a reason, and nothing after it, where the batch cannot be taken: then the
            whole table is wanted.
        """
        heard = self.heard[appliance]
        repeated = batch.after == heard.digest_hex != batch.before and not batch.begins
        if repeated and (heard.fresh is None or (batch.full and not batch.ends)):
            return  # its acknowledgement was lost
        if batch.begins:
            heard.untold += heard.routes
            begun, heard.fresh, heard.digest, heard.routes = heard.fresh, defaultdict(set), 0, 0
            yield from _let_go(begun)
        if heard.fresh is not None and not batch.full:
            heard.digest = _GIVEN_UP  # the rest of the table never comes
        if (heard.fresh is not None) != batch.full or batch.before != heard.digest_hex:
            yield f"it begins at {batch.before}, the table here stands at {heard.digest_hex}"
            return
        heard.batches += 1
        done = 0
        for group in batch.announced:
            for start in range(0, len(group.prefixes), SLICE_ROUTES):
                part = group.prefixes[start : start + SLICE_ROUTES]
                fault = self._announce(appliance, heard, group.attributes, part)
                done += GROUP_ROUTES + len(part)
                if fault or done >= SLICE_ROUTES:
                    done = 0
                    yield fault
                if fault:
                    return
        for start in range(0, len(batch.withdrawn), SLICE_ROUTES):
            for text in batch.withdrawn[start : start + SLICE_ROUTES]:
                self._withdraw(appliance, heard, text)
            yield ""
        if batch.ends:
            fresh, heard.fresh = heard.fresh, None
            yield from self._forget_others(appliance, heard, fresh or {})
            yield from _let_go(fresh)
        if heard.digest_hex != batch.after:
            yield f"it should end at {batch.after}, the table here stands at {heard.digest_hex}"

    def _announce(self, appliance: str, heard: Heard, attributes: PathAttributes, texts: Sequence[str]) -> str:
        digest_of = route_digest(attributes)
        claim = Claim(heard.site, appliance, attributes)
        alone: Claims | None = None
        fresh, set_aside, is_bounded = heard.fresh, heard.set_aside, self._is_bounded(heard.site)
        known: dict[Claims, tuple[Claims, PathAttributes | None]] = {}
        digest, routes, fault = heard.digest, heard.routes, ""
        for text in texts:
            prefix = parse_prefix(text)
            if prefix is None:
                fault = f"{text!r} is no prefix"
                break
            version, length, number = prefix
            digest ^= digest_of(text)
            before = set_aside.pop(prefix, _NO_CLAIM)[0] if set_aside else None
            why = absurdity(prefix)
            if (why or is_bounded) and (why := self._why_not(heard.site, prefix, why)):
                before = before or self._drop(appliance, prefix)
                set_aside[prefix] = (attributes, why)
            else:
                table = self.claims.table(version, length)
                claims = table.get(number)
                if claims is None:
                    if alone is None:
                        alone = self.sets.of((claim,))
                    table[number] = alone
                    self.sets.swap(None, alone)
                else:
                    step = known.get(claims)
                    if step is None:
                        step = known[claims] = self._with(claims, claim)
                    if step[0] is not claims:
                        table[number] = step[0]
                        self.sets.swap(claims, step[0])
                    before = step[1] or before
            if before is not None and heard.has_told(prefix):
                digest ^= route_digest(before)(text)
            else:
                routes += 1
                heard.untold -= before is not None
            if fresh is not None:
                fresh[version, length].add(number)
        heard.digest, heard.routes = digest, routes
        return fault or (f"it has more than {self._routes_max} routes" if routes > self._routes_max else "")

    def _with(self, claims: Claims, claim: Claim) -> tuple[Claims, PathAttributes | None]:
        """The set with ``claim`` in the place of its appliance's, and what that said before."""
        appliance, said = claim.appliance, claim.attributes
        before = next((member.attributes for member in claims.members if member.appliance == appliance), None)
        if before is not None and before == said:
            return claims, before
        others = [member for member in claims.members if member.appliance != appliance]
        # A site's boxes hear the same: what one of them has told already need not be kept again.
        same = next((member.attributes for member in others if member.attributes == said), said)
        return self.sets.of((*others, Claim(claim.site, appliance, same))), before

    def _withdraw(self, appliance: str, heard: Heard, text: str) -> None:
        prefix = parse_prefix(text)
        if prefix is None or not heard.has_told(prefix):
            return  # the digests will tell
        before = heard.set_aside.pop(prefix, _NO_CLAIM)[0] or self._drop(appliance, prefix)
        if before is not None:
            heard.digest ^= route_digest(before)(text)
            heard.routes -= 1
        if heard.fresh is not None:
            heard.fresh[prefix[:2]].discard(prefix.number)

    def _drop(self, appliance: str, prefix: Prefix) -> PathAttributes | None:
        """Take the appliance's claim away; what it said."""
        table = self.claims.table(prefix.version, prefix.length)
        claims = table.get(prefix.number)
        if claims is None:
            return None
        self._put(table, prefix.number, claims, self._without(claims, appliance))
        return next((member.attributes for member in claims.members if member.appliance == appliance), None)

    def _without(self, claims: Claims, appliance: str) -> Claims | None:
        """The set without the appliance's claims; None: nothing is left of it."""
        left = [member for member in claims.members if member.appliance != appliance]
        if len(left) == len(claims.members):
            return claims
        return self.sets.of(left) if left else None

    def _put(self, table: dict[int, Claims], number: int, before: Claims | None, after: Claims | None) -> None:
        if after is not None:
            table[number] = after
        else:
            table.pop(number, None)
        self.sets.swap(before, after)

    def _change(self, prefix: Prefix, *, also: Claim | None = None, without: Claim | None = None) -> None:
        table = self.claims.table(prefix.version, prefix.length)
        claims = table.get(prefix.number)
        members = [member for member in (claims.members if claims is not None else ()) if member != without]
        if also is not None:
            members.append(also)
        self._put(table, prefix.number, claims, self.sets.of(members) if members else None)

    def _forget_others(self, appliance: str, heard: Heard, fresh: Mapping[tuple[int, int], set[int]]) -> Iterator[str]:
        """Drop what the appliance claimed before the whole table came, which named ``fresh``, and no longer does."""
        aside = list(heard.set_aside) if heard.untold else []
        for start in range(0, len(aside), WALK_PREFIXES):
            for prefix in aside[start : start + WALK_PREFIXES]:
                if prefix.number not in fresh.get(prefix[:2], _NONE):
                    del heard.set_aside[prefix]
                    heard.untold -= 1
            yield ""
        for version, length, table in self.claims.tables() if heard.untold else ():
            named = fresh.get((version, length), _NONE)
            numbers = list(table)
            for start in range(0, len(numbers), WALK_PREFIXES):
                without: dict[Claims | None, Claims | None] = {None: None}
                for number in [each for each in numbers[start : start + WALK_PREFIXES] if each not in named]:
                    claims = table.get(number)
                    if claims is not None and claims not in without:
                        without[claims] = self._without(claims, appliance)
                    if (after := without[claims]) is claims:
                        continue
                    self._put(table, number, claims, after)
                    heard.untold -= 1
                    if heard.untold % SLICE_ROUTES == 0:
                        yield ""
                        without = {None: None}  # others have changed sets meanwhile
                if not heard.untold:
                    return
                yield ""
        heard.untold = 0

    def _is_bounded(self, site: str) -> bool:
        """Whether anything but the prefix itself says what this site may claim."""
        return bool(self._within[site]) or self._owned.is_used

    def _why_not(self, site: str, prefix: Prefix, why: str) -> str:
        """Why a claim of this site to this prefix, which is absurd because of ``why``, steers nobody; empty: it may."""
        if why and not any(allowed.covers(prefix) for allowed in self._allowed):
            return why
        within = self._within[site]
        if within and not any(each.covers(prefix) for each in within):
            return "outside what the site may claim ([[site]] within)"
        bits = 32 if prefix.version == 4 else 128
        isp = self.sets.isp_of[site]
        for length, owner in self._owned.covering(prefix.version, prefix.number << (bits - prefix.length)):
            if length <= prefix.length:
                whose = str(Prefix(prefix.version, length, prefix.number >> (prefix.length - length)))
                return "" if owner == isp else f"in {whose}, which steering.toml gives to {owner}"
        return ""


def _let_go(told: Mapping[tuple[int, int], set[int]] | None) -> Iterator[str]:
    for numbers in told.values() if told is not None else ():
        while len(numbers) > LET_GO:
            for _ in range(LET_GO):
                numbers.pop()
            yield ""
