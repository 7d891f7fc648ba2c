"""A fleet, a catalogue and routes of the size that the bars are set for, made up from a seed."""

from __future__ import annotations

import random
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from oca.common.digest import digest_hex
from oca.common.messages import Contents, Health, HeldAsset, Load, Report, StoreUse
from oca.common.prefix import prefix_text
from oca.common.routes import NOTHING, PathAttributes, RouteBatch, RouteGroup, route_digest
from steering.fleet.turnup_settings import TurnupTable
from steering.probing.settings import ProbesTable
from steering.settings import ApiTable, OriginTable, Site, SiteAppliance, SteeringSettings
from steering.signing_settings import SigningTable
from steering.state.settings import StateTable
from steering.state.store import StateStore
from steering.titles.catalogue import AssetSummary, Title, Track, Variant

SITES = 2_500
BOXES_PER_SITE = 4
TITLES = 125_000
ASSETS_PER_TITLE = 8
HELD_BY_SITE = 250
LOOKED_AT = 2 * HELD_BY_SITE
"""How many of its region's most asked titles a site chooses from."""
TAIL_SHARE = 0.8
TAIL_COPIES = 2
REGIONS = 24
SHEDDING, DEGRADED, FAILED, GONE = 0.03, 0.03, 0.01, 0.01
TASTE = 1.0
"""How far a region's ranks are off the world's, as the deviation of a factor's logarithm; a site's by half of it."""
ROUTES_V4, ROUTES_V6 = 1_000_000, 200_000
BATCH = 20_000
OPEN_EVERY = 10
KINDS = ("video", "video", "video", "video", "video", "audio", "text", "manifests")
BOOT = digest_hex(b"boot")


class World:
    """Everything made up; the same for the same seed and scale."""

    def __init__(self, scale: float = 1.0, seed: int = 1) -> None:
        """``scale`` 1 is the size of the bars."""
        self.chance = random.Random(seed)
        self.sites = max(4, int(SITES * scale))
        self.titles = max(50, int(TITLES * scale))
        self.v4, self.v6 = int(ROUTES_V4 * scale), int(ROUTES_V6 * scale)
        self._revisions: dict[int, list[tuple[str, str]]] = {}
        self._region_of: list[int] = []
        self._ranked: dict[int, array[int]] = {}
        self._seed = seed

    def settings(self, folder: Path, listen: str) -> SteeringSettings:
        """One site in ten is open to all, the others are embedded; signed URLs are required. A region is 15° wide."""
        sites = tuple(
            Site(
                id=f"s{number}",
                class_="embedded" if number % OPEN_EVERY else ("peering" if number % (2 * OPEN_EVERY) else "regional"),
                latitude=self.chance.uniform(-60, 60),
                longitude=self.chance.uniform(-180, 180),
                isp=f"isp{number}",
                appliance=tuple(SiteAppliance(id=f"s{number}-{letter}") for letter in "abcd"[:BOXES_PER_SITE]),
            )
            for number in range(self.sites)
        )
        self._region_of = [int((site.longitude + 180) * REGIONS / 360) % REGIONS for site in sites]
        return SteeringSettings(
            api=ApiTable(listen=listen, public_url="https://steering.example"),
            state=StateTable(path=str(folder / "state"), bytes_max=2**34),
            origin=OriginTable(url="https://origin.example"),
            signing=SigningTable(mode="required"),
            turnup=TurnupTable(wanted=False),
            probes=ProbesTable(interval_s=0),  # nobody listens at these boxes' addresses
            site=sites,
        )

    def publish(self, state: StateStore) -> None:
        """Put the titles into the state, without their objects: no decision looks at those."""
        encode = msgspec.msgpack.Encoder().encode
        for start in range(0, self.titles, 5_000):
            with state.write() as transaction:
                for number in range(start, min(start + 5_000, self.titles)):
                    transaction.put(f"title/t{number}", encode(self.title(number)))
        with state.write() as transaction:
            transaction.put("about/catalogue", b"1")

    def assets(self, number: int) -> list[tuple[str, str]]:
        """(asset, revision) of a title."""
        found = self._revisions.get(number)
        if found is None:
            names = [f"t{number}/{kind}-{index}" for index, kind in enumerate(KINDS[:ASSETS_PER_TITLE])]
            found = self._revisions[number] = [(name, digest_hex(name.encode())) for name in names]
        return found

    def forget(self) -> None:
        """Give the memory back that only the filling needed."""
        self._revisions.clear()
        self._ranked.clear()

    def ranked(self, site: int) -> array[int]:
        """The titles as the site's region asks for them, most asked first: the world's ranks, each somewhat off."""
        region = self._region_of[site]
        found = self._ranked.get(region)
        if found is None:
            taste = random.Random(f"{self._seed} {region}").lognormvariate
            found = array("I", sorted(range(self.titles), key=lambda number: (number + 1) * taste(0, TASTE)))
            self._ranked[region] = found
        return found

    def asked(self, site: int, chance: random.Random) -> int:
        """A title that a viewer of the site asks for: the rank in the region is log-uniform."""
        return self.ranked(site)[int(self.titles ** chance.random()) - 1]

    def shelf(self, site: int) -> list[int]:
        """What the site holds: its own most asked titles.

        Sites that are open to all share most of the other titles besides, two copies of each in the world.
        """
        taste = random.Random(f"{self._seed} site {site}").lognormvariate
        near = self.ranked(site)[:LOOKED_AT]
        order = sorted(range(len(near)), key=lambda rank: (rank + 1) * taste(0, TASTE / 2))
        shelf = {near[rank] for rank in order[:HELD_BY_SITE]}
        if site % OPEN_EVERY == 0:
            places = -(-self.sites // OPEN_EVERY)
            for copy in range(min(TAIL_COPIES, places)):
                first = (site // OPEN_EVERY - copy * (places // TAIL_COPIES)) % places
                shelf.update(range(first, int(self.titles * TAIL_SHARE), places))
        return sorted(shelf)

    def title(self, number: int) -> Title:
        """A title with a ladder of five, sound and subtitles."""
        pairs = self.assets(number)
        assets = [
            AssetSummary(name, kind, revision, 10**9, 1000, f"/{name}/media.m3u8", 5_000_000, 6_000_000, 0)  # type: ignore[arg-type]
            for (name, revision), kind in zip(pairs, KINDS, strict=True)
        ]
        return Title(
            title=f"t{number}",
            name=f"Title {number}",
            mount=f"/t{number}",
            origin_url="",
            regions=[],
            released_at_ns=0,
            published_at_ns=0,
            duration_s=5400.0,
            poster="",
            independent_segments=True,
            assets=assets,
            variants=[
                Variant(asset.asset, 6_000_000, 5_000_000, "avc1.640028,mp4a.40.2", 1920, 1080, 24.0, audio="aud")
                for asset in assets[:5]
            ],
            tracks=[Track(assets[5].asset, "AUDIO", "aud", "English", language="en", default=True, autoselect=True)],
        )

    def reports(self, keys: list[str]) -> Iterator[Report]:
        """One of each appliance, with what it holds, as a night's fill leaves it: what its site's viewers ask for most.

        Of boxes 3 % have more viewers than they should, 3 % are degraded, 1 % failed; of sites one in ten has a box
        that is still being filled.
        """
        for site in range(self.sites):
            held = [HeldAsset(*pair) for number in self.shelf(site) for pair in self.assets(number)]
            for letter in "abcd"[:BOXES_PER_SITE]:
                name, state = f"s{site}-{letter}", self.chance.random()
                part = held[: len(held) * 9 // 10] if letter == "d" and site % 10 == 3 else held
                sent = self.chance.uniform(0, 1e9) if state >= SHEDDING else self.chance.uniform(10.2e9, 11.5e9)
                health = _PLAIN.health
                if SHEDDING <= state < SHEDDING + DEGRADED:
                    health = Health(verdict="degraded", reasons=["disk latency"], weight=0.5)
                elif SHEDDING + DEGRADED <= state < SHEDDING + DEGRADED + FAILED:
                    health = Health(verdict="failed", reasons=["no working device"])
                yield replace(
                    _PLAIN,
                    appliance=name,
                    site=f"s{site}",
                    delivery_urls=[f"https://{name}.cdn.example"],
                    contents=Contents(digest=digest_hex(f"{len(part)} held by s{site}".encode()), assets=part),
                    health=health,
                    load=replace(_PLAIN.load, sent_bytes_per_s=sent),
                    keys=keys,
                )

    def is_gone(self, appliance: str) -> bool:
        """Whether the box, one in a hundred, reports no more."""
        return random.Random(f"{self._seed} {appliance}").random() < GONE

    def prefixes(self) -> list[str]:
        """Different prefixes of global space in no order, of the lengths that a full table has.

        Most IPv4 ones are /24, most IPv6 ones /48; some of the shorter ones cover others, of whichever site.
        """
        texts = [
            prefix_text(
                4,
                length,
                (_FIRST_OCTETS[number >> length - 8] << length - 8 | number & (1 << length - 8) - 1) << 32 - length,
            )
            for length, count in _counts(self.v4, _LENGTHS_V4)
            for number in self.chance.sample(range(len(_FIRST_OCTETS) << length - 8), count)
        ]
        texts += [
            prefix_text(6, length, (0x2A0 << length - 12 | number) << 128 - length)
            for length, count in _counts(self.v6, _LENGTHS_V6)
            for number in self.chance.sample(range(1 << length - 12), count)
        ]
        self.chance.shuffle(texts)
        return texts

    def batches(self, appliance: str, texts: list[str], seed: int) -> list[RouteBatch]:
        """A whole table of one appliance, with as many paths as prefixes / 6; the same for the same seed."""
        chance = random.Random(seed)
        batches: list[RouteBatch] = []
        digest = 0
        for start in range(0, len(texts), BATCH):
            part = texts[start : start + BATCH]
            groups = []
            before = digest
            for index in range(0, len(part), 6):
                attributes = PathAttributes(
                    as_path=f"64500 {chance.randrange(1, 60000)} {chance.randrange(1, 60000)}",
                    next_hop="192.0.2.1",
                )
                prefixes = part[index : index + 6]
                digest_of = route_digest(attributes)
                for prefix in prefixes:
                    digest ^= digest_of(prefix)
                groups.append(RouteGroup(attributes, prefixes))
            batches.append(
                RouteBatch(
                    epoch=BOOT,
                    sequence=len(batches) + 1,
                    before=f"{before:032x}" if start else NOTHING,
                    after=f"{digest:032x}",
                    announced=groups,
                    withdrawn=[],
                    begins=not start,
                    full=True,
                    ends=start + BATCH >= len(texts),
                )
            )
        return batches


def bird_reply(texts: list[str], chance: random.Random) -> bytes:
    """What BIRD would write for IPv4 or IPv6 ``texts``, six to a path."""
    lines = [b"1007-Table master4:"]
    attributes = b""
    for index, prefix in enumerate(texts):
        if index % 6 == 0:
            path = f"64500 {chance.randrange(1, 60000)} {chance.randrange(1, 60000)}"
            attributes = (
                f"1012-\tBGP.origin: IGP\n \tBGP.as_path: {path}\n \tBGP.next_hop: 192.0.2.1\n \tBGP.local_pref: 100\n"
                " \tBGP.community: (64500,77)"
            ).encode()
        lines.append(
            f"1007-{prefix:<20} unicast [isp 07:47:29.666] * (100) [AS64511i]\n \tvia 192.0.2.1 on eth0\n"
            "1008-\tType: BGP univ".encode()
        )
        lines.append(attributes)
    return b"\n".join(lines) + b"\n0000 \n"


def _counts(count: int, shares: dict[int, float]) -> Iterator[tuple[int, int]]:
    """How many prefixes of each length; the last takes what is left."""
    *others, last = shares
    left = count
    for length in others:
        part = int(count * shares[length])
        left -= part
        yield length, part
    yield last, left


_LENGTHS_V4 = {16: 0.014, 17: 0.008, 18: 0.014, 19: 0.025, 20: 0.045, 21: 0.052, 22: 0.11, 23: 0.1, 24: 0.632}
_LENGTHS_V6 = {29: 0.02, 32: 0.12, 36: 0.05, 40: 0.1, 44: 0.14, 48: 0.57}
_FIRST_OCTETS = [*range(11, 100), *range(101, 127), *range(128, 169)]
_PLAIN: Any = Report(
    appliance="s0-a",
    site="s0",
    version="1.0",
    boot_id=BOOT,
    sequence=1,
    sent_at_ns=0,
    serving="serving",
    delivery_urls=["https://s0-a.cdn.example"],
    health=Health(verdict="ok", reasons=[]),
    store=StoreUse(capacity_bytes=10**14, used_bytes=10**13, assets=2000, objects=10**6),
    load=Load(connections=1000, sent_bytes_per_s=0, link_bytes_per_s=12.5e9, cpu_ratio=0.2),
    contents=Contents(digest=BOOT, assets=[]),
)
