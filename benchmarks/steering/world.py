"""A fleet, a catalogue and routes of the size that the bars are set for, made up from a seed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from oca.common.digest import digest_hex
from oca.common.messages import Contents, Health, HeldAsset, Load, Report, StoreUse
from oca.common.routes import NOTHING, PathAttributes, RouteBatch, RouteGroup, route_digest
from steering.catalogue import AssetSummary, Title, Track, Variant
from steering.probing.settings import ProbesTable
from steering.settings import ApiTable, OriginTable, Site, SiteAppliance, SteeringSettings
from steering.signing_settings import SigningTable
from steering.state.settings import StateTable
from steering.state.store import StateStore
from steering.turnup_settings import TurnupTable

SITES = 2_500
BOXES_PER_SITE = 4
TITLES = 125_000
ASSETS_PER_TITLE = 8
HELD_EVERYWHERE = 100
HELD_BY_SITE = 150
ROUTES_V4, ROUTES_V6 = 1_000_000, 200_000
BATCH = 20_000
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

    def settings(self, folder: Path, listen: str) -> SteeringSettings:
        """One site in ten is open to all, the others are embedded; signed URLs are required."""
        sites = tuple(
            Site(
                id=f"s{number}",
                class_="embedded" if number % 10 else ("peering" if number % 20 else "regional"),
                latitude=self.chance.uniform(-60, 60),
                longitude=self.chance.uniform(-180, 180),
                isp=f"isp{number}",
                appliance=tuple(SiteAppliance(id=f"s{number}-{letter}") for letter in "abcd"[:BOXES_PER_SITE]),
            )
            for number in range(self.sites)
        )
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
        """One of each appliance, with what it holds: what everybody watches, and what its site watches."""
        head = range(min(HELD_EVERYWHERE, self.titles))
        for site in range(self.sites):
            local = self.chance.sample(range(self.titles), min(HELD_BY_SITE, self.titles))
            held = [HeldAsset(*pair) for number in {*head, *local} for pair in self.assets(number)]
            for letter in "abcd"[:BOXES_PER_SITE]:
                name = f"s{site}-{letter}"
                yield replace(
                    _PLAIN,
                    appliance=name,
                    site=f"s{site}",
                    delivery_urls=[f"https://{name}.cdn.example"],
                    contents=Contents(digest=digest_hex(f"held by s{site}".encode()), assets=held),
                    load=replace(_PLAIN.load, sent_bytes_per_s=self.chance.uniform(0, 1e9)),
                    keys=keys,
                )

    def prefixes(self) -> list[str]:
        """Disjoint prefixes of global space, IPv4 /24 and /22, IPv6 /48 and /44, in no order."""
        blocks = [first << 16 | rest for first in _FIRST_OCTETS for rest in range(1 << 16)]
        chosen = self.chance.sample(blocks, min(self.v4, len(blocks)))
        texts = [f"{block >> 16}.{block >> 8 & 255}.{block & 255}.0/24" for block in chosen]
        texts += [f"2a0{number >> 16 & 15:x}:{number & 0xFFFF:x}::/32" for number in range(self.v6)]
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
