"""Titles, folders, reports and fleets for the tests of steering, made up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

from msgspec.structs import replace

from oca.common.digest import digest_hex
from oca.common.messages import (
    AssetDemand,
    Contents,
    DemandBatch,
    FillProgress,
    Health,
    HeldAsset,
    Load,
    Report,
    StoreUse,
)
from steering.decision.candidate import Candidate, Rejected
from steering.decision.candidates import Held, Look, Rack
from steering.decision.order import RankedSite
from steering.decision.ranking import Pathway, Ranking
from steering.decision.reasons import Said
from steering.decision.viewer import Viewer
from steering.fleet.holders import Holding
from steering.fleet.liveness import Liveness
from steering.fleet.turnup_settings import TurnupTable
from steering.history.settings import HistoryTable
from steering.plan.demand import hours_of
from steering.players.answer import Asking
from steering.probing.settings import ProbesTable
from steering.settings import Site, SiteAppliance, SteeringSettings
from steering.state.store import StateStore
from steering.titles.catalogue import AssetSummary, Title, Track, Variant

history_path = ""
"""Of settings made here; each test has a folder of its own."""
DAY_NS = 86400 * 10**9
NOW_NS = 20_000 * DAY_NS
Box = tuple[Candidate, Holding | None]
Made = TypeVar("Made", Asking, Candidate, RankedSite, Viewer)
ORIGIN = "http://origin.example"
UP = Liveness("up", 1.0, "report 1.0 s old, limit 4.5 s")
MPD = """<?xml version="1.0"?>
<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT8S">
  <ProgramInformation/>
  <Period>
    <AdaptationSet contentType="video">
      <Representation id="0" bandwidth="235000">
        <SegmentTemplate timescale="1000" initialization="init-$RepresentationID$.m4s"
          media="seg-$RepresentationID$-$Number%05d$.m4s" startNumber="1">
          <SegmentTimeline><S t="0" d="4000" r="1"/></SegmentTimeline>
        </SegmentTemplate>
      </Representation>
    </AdaptationSet>
    <AdaptationSet contentType="audio">
      <Representation id="1" bandwidth="96000">
        <SegmentTemplate timescale="1" initialization="init-$RepresentationID$.m4s"
          media="seg-$RepresentationID$-$Number%05d$.m4s" startNumber="1" duration="4"/>
      </Representation>
    </AdaptationSet>
  </Period>
</MPD>
"""


def revision(name: str) -> str:
    return digest_hex(name.encode())


def make_summary(asset: str, kind: Any = "video", size: int = 1000, **changes: Any) -> AssetSummary:
    name = asset.replace("/", "-")
    plain = AssetSummary(
        asset=asset,
        kind=kind,
        revision=revision(asset),
        bytes=size,
        objects=3,
        entry=f"/{asset.partition('/')[0]}/{name}.m3u8",
        bitrate_bits_per_s=200_000,
        peak_bits_per_s=250_000,
        modified_at_ns=0,
    )
    return replace(plain, **changes)


def make_title(name: str = "harbour", **changes: Any) -> Title:
    audio, video, high, manifests = (
        f"{name}/{part}" for part in ("audio-en", "video-240p", "video-1080p", "manifests")
    )
    plain = Title(
        title=name,
        name=name.title(),
        mount=f"/{name}",
        origin_url="",
        regions=[],
        released_at_ns=0,
        published_at_ns=0,
        duration_s=60.0,
        poster="",
        independent_segments=True,
        assets=[
            make_summary(video),
            make_summary(high, size=20_000, bitrate_bits_per_s=5_000_000, peak_bits_per_s=6_000_000),
            make_summary(audio, "audio", size=400, bitrate_bits_per_s=96_000, peak_bits_per_s=100_000),
            make_summary(manifests, "manifests", size=50),
        ],
        variants=[
            Variant(video, 300_000, 0, "avc1.42c015,mp4a.40.2", 426, 240, 24.0, audio="aud"),
            Variant(high, 7_000_000, 5_200_000, "avc1.640028,mp4a.40.2", 1920, 1080, 0.0, audio="aud"),
        ],
        tracks=[Track(audio, "AUDIO", "aud", "English", language="en", channels="2", default=True, autoselect=True)],
    )
    return replace(plain, **changes)


def held(title: Title, *assets: str) -> dict[str, str]:
    """What an appliance that holds these assets of a title (all, if none is named) reports."""
    return {item.asset: item.revision for item in title.assets if not assets or item.asset in assets}


def make_site(name: str = "metro", kind: Any = "embedded", appliances: tuple[str, ...] = (), **changes: Any) -> Site:
    return Site(id=name, class_=kind, appliance=tuple(SiteAppliance(id=entry) for entry in appliances), **changes)


def make_candidate(name: str, contents: dict[str, str], liveness: Liveness = UP) -> Box:
    return Candidate(name, f"http://{name}.example:8080", liveness), Holding.of(contents) if contents else None


def changed(plain: Made, **changes: Any) -> Made:
    """A copy with some fields changed, of what is no Struct: compiled, it does not tell its fields."""
    fields: dict[str, Any] = {name: getattr(plain, name) for name in _FIELDS[type(plain)]}
    return type(plain)(**{**fields, **changes})


_FIELDS: dict[type, tuple[str, ...]] = {
    Asking: ("client", "client_from", "prefix", "site", "base_url", "query", "device", "wanted"),
    Candidate: (
        *("appliance", "url", "liveness", "capacity", "share", "keys", "kept", "expected_bytes_per_s", "heard", "full"),
    ),
    RankedSite: ("site", "distance_km", "reach", "why_not"),
    Viewer: ("home", "version", "number", "lengths", "reach", "region", "network", "slowed"),
}


def whys(rejected: Sequence[Rejected]) -> list[tuple[str, str]]:
    """All that is told of those that lost."""
    return [(lost.pathway, lost.why) for lost in rejected]


def told(ranking: Ranking) -> tuple[list[tuple[object, ...]], list[tuple[str, str]], str]:
    """All that is told of it."""
    ways: list[tuple[object, ...]] = [
        (way.pathway, way.url, way.token_path, way.source_class, way.site, way.distance_km, way.holds, way.why)
        for way in ranking.pathways
    ]
    return ways, whys(ranking.rejected), ranking.barred


def look_at(boxes_of: Mapping[str, Sequence[Box]]) -> Look:
    """What a decision sees of these boxes, by site; what the service has as one, where all hold the same, is one."""

    def look(site: str) -> tuple[Rack, Held]:
        boxes = boxes_of.get(site, [])
        lines = {holding.assets.__repr__() if holding is not None else "" for _, holding in boxes}
        held: Held = [holding for _, holding in boxes] if lines - {""} else None
        return Rack([candidate for candidate, _ in boxes]), boxes[0][1] if held and len(lines) == 1 else held

    return look


def way(name: str, *holds: str) -> Pathway:
    """To a box of its own, which holds these assets; none named: all."""
    return Pathway(
        name,
        f"http://{name}.example",
        source_class="",
        site="",
        distance_km=None,
        reasons=Said(""),
        holds=holds or None,
    )


class FailingSites(dict[str, Site]):
    """In place of a decider's sites: a fault amid each decision for who belongs to one."""

    def __getitem__(self, name: str) -> Site:
        raise ValueError("inner")


def make_settings(folder: Path | None = None, **changes: Any) -> SteeringSettings:
    """Two sites: ``metro`` in 127.0.0.0/8 with two appliances, ``region`` for anyone with one."""
    tables: dict[str, Any] = {
        "site": (
            make_site("metro", appliances=("metro-a", "metro-b"), prefixes=("127.0.0.0/8",), latitude=52.5),
            make_site("region", "regional", appliances=("region-a",), latitude=50.0),
        ),
        "history": HistoryTable(path=history_path),
        **changes,
    }
    tables.setdefault("probes", ProbesTable(interval_s=0))
    tables.setdefault("turnup", TurnupTable(wanted=False))
    plain = SteeringSettings(**tables)
    changed: dict[str, Any] = {"origin": replace(plain.origin, url=ORIGIN)} if "origin" not in changes else {}
    if folder is not None:
        changed["state"] = replace(plain.state, path=str(folder), bytes_max=2**26)
    return replace(plain, **changed)


def make_report(appliance: str = "metro-a", site: str = "metro", **changes: Any) -> Report:
    plain = Report(
        appliance=appliance,
        site=site,
        version="1.0",
        boot_id=revision("boot"),
        sequence=1,
        sent_at_ns=NOW_NS,
        serving="serving",
        delivery_urls=[f"http://{appliance}.example:8080"],
        health=Health(verdict="ok", reasons=[]),
        store=StoreUse(capacity_bytes=10**6, used_bytes=0, assets=0, objects=0),
        load=Load(connections=0, sent_bytes_per_s=0, link_bytes_per_s=0, cpu_ratio=0),
        contents=Contents(digest=revision("nothing"), assets=[]),
    )
    return replace(plain, **changes)


def make_contents(assets: dict[str, str]) -> Contents:
    listed = [HeldAsset(asset, text) for asset, text in sorted(assets.items())]
    return Contents(digest=revision(repr(listed)), assets=listed)


def make_batch(
    sequence: int = 0, *, epoch: str = "boot", at_ns: int = NOW_NS, **counts: tuple[int, int]
) -> DemandBatch:
    """A batch; ``counts`` maps an asset, with ``__`` for its slash and ``_`` for its hyphens, to (requests, bytes)."""
    items = [AssetDemand(asset.replace("__", "/").replace("_", "-"), *pair) for asset, pair in counts.items()]
    return DemandBatch(
        epoch=revision(epoch), sequence=sequence, started_at_ns=at_ns - 10**9, ended_at_ns=at_ns, items=items
    )


def make_progress(appliance: str = "metro-a") -> FillProgress:
    return FillProgress(
        appliance=appliance,
        plan=revision("plan"),
        state="running",
        started_at_ns=0,
        updated_at_ns=1,
        bytes_total=10,
        bytes_done=5,
        assets_total=2,
        assets_done=1,
        assets_failed=0,
        assets_evicted=0,
        current=[],
    )


def daily_bytes(state: StateStore) -> dict[str, dict[str, dict[int, int]]]:
    """All demand in the state: site → asset → day (ordinal) → bytes, live and imported together."""
    sites: dict[str, dict[str, dict[int, int]]] = {}
    for hour in [*hours_of(state, "demand"), *hours_of(state, "imported")]:
        days = sites.setdefault(hour.site, {}).setdefault(hour.asset, {})
        day = hour.day + date(1970, 1, 1).toordinal()
        days[day] = days.get(day, 0) + hour.counted.bytes
    return sites


def media_playlist(stream: int, *, segments: int = 2, ended: bool = True) -> str:
    lines = ["#EXTM3U", "#EXT-X-VERSION:7", "#EXT-X-TARGETDURATION:4", f'#EXT-X-MAP:URI="init-{stream}.m4s"']
    for number in range(1, segments + 1):
        lines += ["#EXTINF:4.0,", f"seg-{stream}-{number:05d}.m4s"]
    return "\n".join([*lines, *(["#EXT-X-ENDLIST"] if ended else [])]) + "\n"


MASTER = """#EXTM3U
#EXT-X-VERSION:7
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="aud",NAME="English",LANGUAGE="en",DEFAULT=YES,CHANNELS="2",URI="media-1.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=300000,RESOLUTION=426x240,CODECS="avc1.42c015,mp4a.40.2",AUDIO="aud"
media-0.m3u8
"""


def write_package(folder: Path, *, mpd: str | None = MPD) -> Path:
    """A packaged title: one video rendition, one audio track, MPD and poster."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "master.m3u8").write_text(MASTER)
    (folder / "poster.jpg").write_bytes(b"jpeg")
    if mpd is not None:
        (folder / "manifest.mpd").write_text(mpd)
    for stream in (0, 1):
        (folder / f"media-{stream}.m3u8").write_text(media_playlist(stream))
        (folder / f"init-{stream}.m4s").write_bytes(b"init%d" % stream)
        for number in (1, 2):
            (folder / f"seg-{stream}-{number:05d}.m4s").write_bytes(bytes([stream, number]) * (500 * number))
    return folder
