"""Who is near whom: the prefixes that sites claim, by lists and by BGP, kept up by changes.

Absurd claims are remembered, so that digests agree, but steer nobody. Pure: batches come in, in slices small enough
that viewers are answered between them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from oca.common.prefix import Prefix, absurdity, parse_prefix, read_prefix
from oca.common.routes import PathAttributes, RouteBatch, route_digest
from steering.claims import Claim, Claims, ClaimSets
from steering.prefixes import PrefixMap
from steering.settings import RoutesTable, Site

SLICE_ROUTES = 500
_NO_CLAIM: tuple[PathAttributes | None, str] = (None, "")


@dataclass(slots=True)
class Heard:
    """What one appliance hears: ``digest`` and ``routes`` of its table, absurd ones among them."""

    site: str
    digest: int = 0
    routes: int = 0
    batches: int = 0
    set_aside: dict[Prefix, tuple[PathAttributes, str]] = field(default_factory=dict)
    fresh: set[Prefix] | None = None
    """While a whole table is coming: what of it has come."""
    stale: bool = False
    """Whether claims from before that table may be left."""

    @property
    def digest_hex(self) -> str:
        """The digest as messages have it."""
        return f"{self.digest:032x}"


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
        if repeated and not (batch.ends and heard.fresh is not None):
            return  # its acknowledgement was lost
        if batch.begins:
            heard.stale = heard.stale or heard.routes > 0
            heard.fresh, heard.digest, heard.routes = set(), 0, 0
        if (heard.fresh is not None) != batch.full or batch.before != heard.digest_hex:
            yield f"it begins at {batch.before}, the table here stands at {heard.digest_hex}"
            return
        heard.batches += 1
        for group in batch.announced:
            for start in range(0, len(group.prefixes), SLICE_ROUTES):
                fault = self._announce(appliance, heard, group.attributes, group.prefixes[start : start + SLICE_ROUTES])
                yield fault
                if fault:
                    return
        for text in batch.withdrawn:
            self._withdraw(appliance, heard, text)
        if batch.ends:
            yield from self._forget_others(appliance, heard)
        if heard.digest_hex != batch.after:
            yield f"it should end at {batch.after}, the table here stands at {heard.digest_hex}"

    def _announce(self, appliance: str, heard: Heard, attributes: PathAttributes, texts: list[str]) -> str:
        digest_of = route_digest(attributes)
        claim = Claim(heard.site, appliance, self._as_told(attributes, texts[0]))
        alone = self.sets.of((claim,))
        fresh = heard.fresh
        known: dict[Claims, tuple[Claims, PathAttributes | None]] = {}
        for text in texts:
            prefix = parse_prefix(text)
            if prefix is None:
                return f"{text!r} is no prefix"
            heard.digest ^= digest_of(text)
            told = fresh is None or prefix in fresh
            before = heard.set_aside.pop(prefix, _NO_CLAIM)[0]
            if why := self._absurdity(heard.site, prefix):
                before = before or self._drop(appliance, prefix)
                heard.set_aside[prefix] = (attributes, why)
            else:
                table = self.claims.table(prefix.version, prefix.length)
                claims = table.get(prefix.number)
                if claims is None:
                    table[prefix.number] = alone
                else:
                    step = known.get(claims)
                    if step is None:
                        step = known[claims] = self._with(claims, claim)
                    table[prefix.number] = step[0]
                    before = step[1] or before
            if before is not None and told:
                heard.digest ^= route_digest(before)(text)
            else:
                heard.routes += 1
            if fresh is not None:
                fresh.add(prefix)
            if heard.routes > self._routes_max:
                return f"it has more than {self._routes_max} routes"
        return ""

    def _as_told(self, attributes: PathAttributes, text: str) -> PathAttributes:
        """``attributes`` as another box has told them for the same prefix, if one has: a site's boxes hear the same."""
        prefix = parse_prefix(text)
        claims = self.claims.table(prefix.version, prefix.length).get(prefix.number) if prefix is not None else None
        for member in claims.members if claims is not None else ():
            if member.attributes is not None and member.attributes == attributes:
                return member.attributes
        return attributes

    def _with(self, claims: Claims, claim: Claim) -> tuple[Claims, PathAttributes | None]:
        """The set with ``claim`` in the place of its appliance's, and what that said before."""
        others = [member for member in claims.members if member[:2] != claim[:2]]
        before = next((member.attributes for member in claims.members if member[:2] == claim[:2]), None)
        return self.sets.of((*others, claim)), before

    def _withdraw(self, appliance: str, heard: Heard, text: str) -> None:
        prefix = parse_prefix(text)
        if prefix is None or (heard.fresh is not None and prefix not in heard.fresh):
            return  # the digests will tell
        before = heard.set_aside.pop(prefix, _NO_CLAIM)[0] or self._drop(appliance, prefix)
        if before is not None:
            heard.digest ^= route_digest(before)(text)
            heard.routes -= 1
        if heard.fresh is not None:
            heard.fresh.discard(prefix)

    def _drop(self, appliance: str, prefix: Prefix) -> PathAttributes | None:
        """Take the appliance's claim away; what it said."""
        claims = self.claims.table(prefix.version, prefix.length).get(prefix.number)
        mine = [member for member in claims.members if member.appliance == appliance] if claims is not None else []
        for claim in mine:
            self._change(prefix, without=claim)
        return mine[0].attributes if mine else None

    def _change(self, prefix: Prefix, *, also: Claim | None = None, without: Claim | None = None) -> None:
        table = self.claims.table(prefix.version, prefix.length)
        claims = table.get(prefix.number)
        members = [member for member in (claims.members if claims is not None else ()) if member != without]
        if also is not None:
            members.append(also)
        if members:
            table[prefix.number] = self.sets.of(members)
        else:
            table.pop(prefix.number, None)

    def _forget_others(self, appliance: str, heard: Heard) -> Iterator[str]:
        """Drop what the appliance claimed before the whole table came and no longer does."""
        fresh, heard.fresh = heard.fresh or set(), None
        if not heard.stale:
            return
        for prefix in [prefix for prefix in heard.set_aside if prefix not in fresh]:
            del heard.set_aside[prefix]
        for number, (prefix, claims) in enumerate(self.claims.items()):
            if number % SLICE_ROUTES == 0:
                yield ""
            if prefix not in fresh and any(member.appliance == appliance for member in claims.members):
                self._drop(appliance, prefix)
        heard.stale = False

    def _absurdity(self, site: str, prefix: Prefix) -> str:
        """Why a claim of this site to this prefix steers nobody; empty where it may."""
        if (why := absurdity(prefix)) and not any(allowed.covers(prefix) for allowed in self._allowed):
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
