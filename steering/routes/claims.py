"""Who says that a prefix is near, and whose word goes first. Pure.

Sets of claims are few and shared by many prefixes, so each is put in order once, by BGP's own rules (RFC 4271
§9.1.2.2). There may be hundreds of thousands, all of words and numbers: Python's collector is told of none of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from operator import attrgetter

from msgspec import Struct

from oca.common.routes import PathAttributes, end_ases, path_length
from steering.recent import Recent
from steering.settings import Site

SHAPES_KEPT = 16384
_whose = attrgetter("site", "appliance")
_ORIGIN_RANK = {"IGP": 0, "EGP": 1, "Incomplete": 2}


Shape = tuple[tuple[int, str], ...]
"""Sites with their ranks."""


class Claim(Struct, frozen=True, gc=False):
    """One site's word for a prefix: an appliance that hears it by BGP, or (``appliance`` empty) the site's own list."""

    site: str
    appliance: str
    attributes: PathAttributes | None

    @property
    def path(self) -> str:
        """The way in words."""
        if self.attributes is None:
            return "by the site's own list"
        said = self.attributes
        if said.as_path and said.origin == "IGP" and not said.med:  # as nearly all
            return f"by BGP, AS path {said.as_path}, local-pref {said.local_pref}"
        parts = [f"AS path {said.as_path}" if said.as_path else "the ISP's own", f"local-pref {said.local_pref}"]
        parts += [f"origin {said.origin}"] * (said.origin != "IGP") + [f"MED {said.med}"] * (said.med > 0)
        return f"by BGP, {', '.join(parts)}"


class Claims(Struct, eq=False, gc=False):
    """All claims to a prefix, compared by identity.

    Attributes:
        ranked: The best of each site with its rank, equals sharing one.
        shape: All that the order of sites depends on: many sets have one shape.
        conflict: Why nobody's counts, where two ISPs claim the prefix for origins of their own.
        prefixes: How many have it; ``ClaimSets`` keeps it up.
    """

    members: tuple[Claim, ...]
    ranked: tuple[tuple[int, Claim], ...] = ()
    shape: Shape = ()
    conflict: str = ""
    prefixes: int = 0

    @classmethod
    def of(cls, members: tuple[Claim, ...], isp_of: Mapping[str, str]) -> Claims:
        """Put in order; ``isp_of`` has the ISP of each site."""
        words = _words(members)
        conflict = _conflict(words, isp_of) if len(words) > 1 else ""
        ranked = () if conflict else tuple(_ranked(words))
        return cls(members, ranked, tuple([(rank, claim.site) for rank, claim in ranked]), conflict)

    @classmethod
    def of_shape(cls, shape: Shape) -> Claims:
        """As far as a record of their order tells, in which nothing is said of the ways."""
        return cls((), tuple((rank, Claim(site, "", None)) for rank, site in shape), shape)

    def of_site(self, site: str) -> Claim | None:
        """The best claim of a site; None: it has none that counts."""
        for _, claim in self.ranked:
            if claim.site == site:
                return claim
        return None


class ClaimSets:
    """Every set of claims that some prefix has, made once. Whoever gives a prefix another says so (``swap``)."""

    def __init__(self, sites: Iterable[Site]) -> None:
        self.isp_of = {site.id: site.isp or site.id for site in sites}
        self._sets: dict[tuple[Claim, ...], Claims] = {}
        self._shapes: Recent[Shape, Shape] = Recent(SHAPES_KEPT)

    def __len__(self) -> int:
        return len(self._sets)

    def of(self, members: Iterable[Claim]) -> Claims:
        """The set of these claims."""
        key = tuple(members)
        if len(key) > 1:
            key = tuple(sorted(key, key=_whose))
        found = self._sets.get(key)
        if found is None:
            found = self._sets[key] = Claims.of(key, self.isp_of)
            shape = self._shapes.get(found.shape)
            if shape is None:
                self._shapes.put(found.shape, found.shape)
            else:
                found.shape = shape
        return found

    def swap(self, before: Claims | None, after: Claims | None) -> None:
        """A prefix has ``after`` now, and had ``before``; a set that none has any more is forgotten."""
        if after is not None:
            after.prefixes += 1
        if before is not None:
            before.prefixes -= 1
            if before.prefixes <= 0:
                self._sets.pop(before.members, None)


def _words(members: Sequence[Claim]) -> Sequence[Claim]:
    """One claim for all boxes of a site that stand together and say the same, as mostly all of them do."""
    words: list[Claim] = []
    site, said = "", None
    for member in members:
        if member.site != site or member.attributes is not said:
            words.append(member)
            site, said = member.site, member.attributes
    return words


def _ranked(words: Sequence[Claim]) -> Iterable[tuple[int, Claim]]:
    if len(words) == 1:
        yield 0, words[0]
        return
    best: dict[str, Claim] = {}
    for claim in sorted(words, key=_preference):
        best.setdefault(claim.site, claim)
    rank = 0
    for _, equals in groupby(best.values(), key=_preference):
        group = list(equals)
        if len(group) == 1:
            yield rank, group[0]
            rank += 1
            continue
        # MEDs of two neighbours say nothing about each other (RFC 4271 §9.1.2.2 c).
        comparable = len({end_ases(claim.attributes.as_path)[0] if claim.attributes else "" for claim in group}) == 1
        by_med = sorted(group, key=lambda claim: (_med(claim) if comparable else 0, claim.site))
        for _, same in groupby(by_med, key=lambda claim: _med(claim) if comparable else 0):
            yield from ((rank, claim) for claim in same)
            rank += 1


def _preference(claim: Claim) -> tuple[int, int, int, int]:
    """What an operator wrote goes first; then local-pref, path length, origin."""
    said = claim.attributes
    if said is None:
        return (0, 0, 0, 0)
    return (1, -said.local_pref, path_length(said.as_path), _ORIGIN_RANK[said.origin])


def _med(claim: Claim) -> int:
    return claim.attributes.med if claim.attributes is not None else 0


def _conflict(words: Sequence[Claim], isp_of: Mapping[str, str]) -> str:
    if len({isp_of[claim.site] for claim in words}) < 2:
        return ""
    origins: dict[str, set[str]] = {}
    for claim in words:
        if claim.attributes is None:
            return ""  # the operator has settled it
        isp = isp_of[claim.site]
        origins.setdefault(isp, set()).add(end_ases(claim.attributes.as_path)[1] or isp)
    if len(set().union(*origins.values())) < 2:
        return ""
    said = " and ".join(f"{isp} (origin {', '.join(sorted(names))})" for isp, names in sorted(origins.items()))
    return f"claimed by two ISPs for origins of their own: {said}"
