from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from fill.asset import AssetFetch
from fill.fetch import Sink
from fill.rank import SourceRank
from fill.sources import Fault, SourceLadder
from oca.common import clock
from oca.common.messages import AssetManifest, FillSource, ObjectDescription, SourceKind

from .conftest import make_files, make_manifest

PEER = FillSource(kind="peer", url="http://peer", appliance="fra1-b")
ORIGIN = FillSource(kind="origin", url="http://origin")
FILES = make_files("t/a", [100, 0, 50])
MANIFEST = make_manifest("t/a", FILES, [PEER, ORIGIN])
STALLED = Fault("stalled", "sent nothing for 10 s", lasting=False)
Script = Callable[[ObjectDescription, int, Sink], Fault | None]


class MemoryStaging:
    """A staged asset in memory."""

    def __init__(self, manifest: AssetManifest, *, whole: int = 0, inside: bytes = b"") -> None:
        self.manifest = manifest
        self.done = [FILES[entry.path] for entry in manifest.objects[:whole]]
        self.current = bytearray(inside)
        self.cut_back = 0

    def position(self) -> tuple[int, int]:
        return len(self.done), len(self.current)

    def write(self, chunk: bytes) -> None:
        self.current += chunk

    def finish_object(self) -> bool:
        right = bytes(self.current) == FILES[self.manifest.objects[len(self.done)].path]
        if right:
            self.done.append(bytes(self.current))
        self.cut_back += not right
        self.current.clear()
        return right


class ScriptedFetcher:
    """Answers each request by the script of its source."""

    def __init__(self, **scripts: Script) -> None:
        self.scripts = scripts
        self.asked: list[tuple[str, str, int]] = []

    async def fetch(self, source: FillSource, wanted: ObjectDescription, offset: int, sink: Sink) -> Fault | None:
        name = source.url.removeprefix("http://")
        self.asked.append((name, wanted.path[-5:], offset))
        return self.scripts[name](wanted, offset, sink)


class Seen:
    """Notes what a fetch tells."""

    def __init__(self) -> None:
        self.moves: list[int] = []
        self.sources: list[str] = []
        self.bytes_by_kind: Counter[SourceKind] = Counter()

    def asked(self, asset: str, source: str) -> None:
        self.sources.append(source)

    def came(self, kind: SourceKind, count: int) -> None:
        self.bytes_by_kind[kind] += count

    def moved(self, asset: str, bytes_done: int) -> None:
        self.moves.append(bytes_done)


def good(wanted: ObjectDescription, offset: int, sink: Sink) -> None:
    body = FILES[wanted.path][offset:]
    sink(body[: len(body) // 2])
    sink(body[len(body) // 2 :])


def lies(wanted: ObjectDescription, offset: int, sink: Sink) -> None:
    sink(b"\xff" * (wanted.bytes - offset))


def lies_and_stalls(wanted: ObjectDescription, offset: int, sink: Sink) -> Fault:
    sink(b"\xff" * 10)
    return STALLED


def stalls(wanted: ObjectDescription, offset: int, sink: Sink) -> Fault:
    sink(FILES[wanted.path][offset : offset + 40])
    return STALLED


def absent(wanted: ObjectDescription, offset: int, sink: Sink) -> Fault:
    return Fault("absent", "does not have it (404)", lasting=True)


async def run(
    staged: MemoryStaging, fetcher: ScriptedFetcher, seen: Seen | None = None, rank: SourceRank | None = None
) -> str:
    ladder = SourceLadder(MANIFEST.sources, rounds_max=3, backoff_s=1e-6, backoff_s_max=1e-6)
    return await AssetFetch(
        MANIFEST,
        staged,
        ladder=ladder,
        fetcher=fetcher,
        watcher=seen or Seen(),
        rank=rank or SourceRank(half_life_s=600, slow_answer_s=2),
        dice=lambda: 0.5,
    ).run()


async def test_asset_comes_whole_from_best_source() -> None:
    staged, fetcher, seen = MemoryStaging(MANIFEST), ScriptedFetcher(peer=good), Seen()
    assert await run(staged, fetcher, seen) == ""
    assert staged.done == list(FILES.values())
    assert seen.moves == [50, 100, 100, 100, 125, 150]
    assert set(seen.sources) == {"http://peer"}


async def test_asset_goes_on_inside_object() -> None:
    staged = MemoryStaging(MANIFEST, whole=2, inside=FILES["/t/a/seg-2.m4s"][:20])
    fetcher, seen = ScriptedFetcher(peer=good), Seen()
    assert await run(staged, fetcher, seen) == ""
    assert fetcher.asked == [("peer", "2.m4s", 20)]
    assert seen.moves[-1] == MANIFEST.bytes


async def test_asset_goes_on_at_next_source_where_a_stalled_one_stopped() -> None:
    staged, fetcher = MemoryStaging(MANIFEST), ScriptedFetcher(peer=stalls, origin=good)
    assert await run(staged, fetcher) == ""
    assert fetcher.asked[:2] == [("peer", "0.m4s", 0), ("origin", "0.m4s", 40)]
    assert {name for name, _, _ in fetcher.asked[1:]} == {"origin"}
    assert staged.done == list(FILES.values())


async def test_asset_leaves_source_that_lies() -> None:
    staged, fetcher = MemoryStaging(MANIFEST), ScriptedFetcher(peer=lies, origin=good)
    assert await run(staged, fetcher) == ""
    assert fetcher.asked[:2] == [("peer", "0.m4s", 0), ("origin", "0.m4s", 0)]
    assert (staged.cut_back, staged.done) == (1, list(FILES.values()))


async def test_asset_does_not_blame_source_for_bytes_of_another() -> None:
    staged, fetcher = MemoryStaging(MANIFEST), ScriptedFetcher(peer=lies_and_stalls, origin=good)
    assert await run(staged, fetcher) == ""
    assert fetcher.asked[:3] == [("peer", "0.m4s", 0), ("origin", "0.m4s", 10), ("origin", "0.m4s", 0)]
    assert (staged.cut_back, staged.done) == (1, list(FILES.values()))


async def test_asset_does_not_blame_source_for_bytes_of_an_earlier_run() -> None:
    staged, fetcher = MemoryStaging(MANIFEST, inside=b"\xff" * 30), ScriptedFetcher(peer=good)
    assert await run(staged, fetcher) == ""
    assert fetcher.asked[:2] == [("peer", "0.m4s", 30), ("peer", "0.m4s", 0)]


async def test_asset_is_given_up_when_every_source_lies_or_lacks_it() -> None:
    staged, fetcher = MemoryStaging(MANIFEST), ScriptedFetcher(peer=lies, origin=absent)
    assert await run(staged, fetcher) == (
        "/t/a/seg-0.m4s: http://peer: sends other bytes than the digest says; http://origin: does not have it (404)"
    )
    assert len(fetcher.asked) == 2


async def test_asset_climbs_again_to_sources_that_may_have_mended() -> None:
    answers = iter([stalls, stalls, good, good, good])

    def mends(wanted: ObjectDescription, offset: int, sink: Sink) -> Fault | None:
        return next(answers)(wanted, offset, sink)

    fetcher = ScriptedFetcher(peer=absent, origin=mends)
    staged = MemoryStaging(MANIFEST)
    assert await run(staged, fetcher) == ""
    assert [offset for _, _, offset in fetcher.asked[:4]] == [0, 0, 40, 80]
    assert staged.done == list(FILES.values())


async def test_asset_blames_source_beyond_itself_and_counts_where_bytes_came_from() -> None:
    rank, seen = SourceRank(half_life_s=600, slow_answer_s=2), Seen()
    assert await run(MemoryStaging(MANIFEST), ScriptedFetcher(peer=stalls, origin=good), seen, rank) == ""
    now_s = clock.monotonic_s()
    assert rank.penalty(PEER.url, now_s) > 0.9
    assert rank.penalty(ORIGIN.url, now_s) == 0
    assert seen.bytes_by_kind == {"peer": 40, "origin": 110}
