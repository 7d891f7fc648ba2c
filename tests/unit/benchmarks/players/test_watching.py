from __future__ import annotations

import random
from collections.abc import Callable
from math import inf
from urllib.parse import parse_qs, urlsplit

import pytest

from benchmarks.players.experience import Viewing
from benchmarks.players.viewer import Seek, Viewer
from benchmarks.players.watching import Lost, Watching

SEGMENTS = 10
LADDER = (("low", 300_000), ("high", 4_000_000))


class FakeFleet:
    """Steering and three sources on a made-up clock; each object takes the time that the line needs for it."""

    def __init__(self, pathways: str = "abc", *, sound: bool = True, sound_segments: int = SEGMENTS) -> None:
        self.at = 0.0
        self.pathways = pathways
        self.sound = sound
        self.sound_segments = sound_segments
        self.dead_from: dict[str, float] = {}
        self.asked: list[str] = []
        self.line_bits_per_s = 20e6
        self.answer = b'{"hls_url": "http://steer.test/f/master.m3u8", "pathways": []}'
        self.separator = "?"

    def now(self) -> float:
        return self.at

    def pause(self, seconds: float) -> None:
        assert seconds >= 0
        self.at += seconds + 1e-9

    def ask(self, title: str) -> bytes:
        assert title == "f"
        self._lose("steer")
        return self.answer

    def text(self, url: str, kind: str) -> str:
        if kind == "multivariant":
            return "#EXTM3U\n" + "".join(map(self._pathway, self.pathways))
        self._answer(url)
        count = self.sound_segments if "sound" in url else SEGMENTS
        return "#EXTM3U\n#EXT-X-MAP:URI=init\n" + "".join(f"#EXTINF:4,\n{n}.m4s\n" for n in range(count))

    def media(
        self, url: str, kind: str, *, line_bits_per_s: float, is_wanted: Callable[[], bool]
    ) -> tuple[int, float] | None:
        self._answer(url)
        rate = next((bits for name, bits in LADDER if f"/{name}/" in url), 100_000)
        size = 1000 if kind == "i" else rate * 4 // 8
        seconds = size * 8 / self.line_bits_per_s
        for _ in range(4):
            self.at += seconds / 4
            if not is_wanted():
                return None
        return size, seconds

    def from_sources(self) -> list[str]:
        return [urlsplit(url).netloc[0] for url in self.asked if ".m4s" in url]

    def _pathway(self, name: str) -> str:
        media, group = "", ""
        if self.sound:
            media = f'#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="{name}",NAME="s",URI="http://{name}.test/sound/v.m3u8"\n'
            group = f',AUDIO="{name}"'
        return media + "".join(
            f'#EXT-X-STREAM-INF:BANDWIDTH={bits}{group},PATHWAY-ID="{name}"\n'
            f"http://{name}.test/{rung}/v.m3u8{'?t=1' if self.separator == '&' else ''}\n"
            for rung, bits in LADDER
        )

    def _answer(self, url: str) -> None:
        self.asked.append(url)
        self.at += 0.01
        self._lose(urlsplit(url).netloc.partition(".")[0])

    def _lose(self, host: str) -> None:
        if self.at >= self.dead_from.get(host, inf):
            raise Lost(host)


def watch(fleet: FakeFleet, **habits: object) -> Viewing:
    viewer = Viewer(20_000_000, **{"patience_s": 30.0, "leaves_after_s": inf, "seeks": (), **habits})  # type: ignore[arg-type]
    watching = Watching(fleet, "f", session="s", viewer=viewer, chance=random.Random(1))
    watching.watch()
    return watching.viewing()


def test_watching_plays_film_from_first_pathway() -> None:
    fleet = FakeFleet()
    seen = watch(fleet)
    assert (seen.ending, seen.moves, seen.stalls_s) == ("finished", 0, [])
    assert seen.watched_s == pytest.approx(40, abs=0.01)
    assert set(fleet.from_sources()) == {"a"}
    assert seen.startup_s == pytest.approx(0.13, abs=0.03)


def test_watching_steps_up_after_first_segment() -> None:
    fleet = FakeFleet()
    seen = watch(fleet)
    pictures = [urlsplit(url).path.split("/")[1] for url in fleet.asked if ".m4s" in url and "sound" not in url]
    assert pictures == ["low"] + ["high"] * (SEGMENTS - 1)
    assert seen.changes == 1
    assert seen.bits_per_s == pytest.approx((300_000 + 9 * 4_000_000) / 10 + 100_000, rel=0.01)


def test_watching_steps_down_on_slow_line() -> None:
    fleet = FakeFleet()
    fleet.line_bits_per_s = 1e6
    assert watch(fleet).bits_per_s < 500_000


def test_watching_fetches_at_play_speed() -> None:
    fleet = FakeFleet()
    fleet.line_bits_per_s = 200e6
    assert watch(fleet, leaves_after_s=5.0).ending == "left"
    numbers = [int(urlsplit(url).path.rpartition("/")[2][0]) for url in fleet.asked if ".m4s" in url]
    assert set(numbers) == set(range(9))  # 5 s watched and 30 s ahead, of 4 s each


def test_watching_moves_on_where_source_dies() -> None:
    fleet = FakeFleet()
    fleet.dead_from = {"a": 3, "b": 5}
    seen = watch(fleet)
    assert (seen.ending, seen.moves, seen.stalls_s) == ("finished", 2, [])
    assert sorted(set(fleet.from_sources())) == ["a", "b", "c"]
    assert fleet.from_sources() == sorted(fleet.from_sources())


def test_watching_moves_on_before_start() -> None:
    fleet = FakeFleet()
    fleet.dead_from = {"a": 0}
    seen = watch(fleet)
    assert (seen.ending, seen.moves) == ("finished", 1)


def test_watching_fails_where_all_sources_die() -> None:
    fleet = FakeFleet("ab")
    fleet.dead_from = {"a": 3, "b": 3}
    seen = watch(fleet)
    assert (seen.ending, seen.moves) == ("failed", 2)
    assert seen.watched_s > 0


@pytest.mark.parametrize("host", ["steer", "a"])
def test_watching_fails_without_any_answer(host: str) -> None:
    fleet = FakeFleet("a")
    fleet.dead_from = {host: 0}
    seen = watch(fleet)
    assert (seen.ending, seen.startup_s, seen.watched_s) == ("failed", None, 0)
    assert seen.unstarted_s is not None


def test_watching_fails_on_foreign_answer() -> None:
    fleet = FakeFleet()
    fleet.answer = b"<html>"
    assert watch(fleet).ending == "failed"


def test_watching_leaves_empty_rendition() -> None:
    fleet = FakeFleet("ab", sound_segments=0)
    assert watch(fleet).ending == "failed"


def test_watching_seeks_and_gives_up_download() -> None:
    fleet = FakeFleet()
    fleet.line_bits_per_s = 6e6
    seen = watch(fleet, seeks=(Seek(0.5, 30.0),))
    assert len(seen.seek_waits_s) == 1
    assert seen.ending == "finished"
    assert seen.watched_s == pytest.approx(0.5 + 12, abs=0.01)


def test_watching_survives_seek_during_sound() -> None:
    fleet = FakeFleet()
    fleet.line_bits_per_s = 0.5e6
    seen = watch(fleet, seeks=tuple(Seek(at / 10, at % 7 * 5.0) for at in range(1, 60)))
    assert seen.ending == "finished"


def test_watching_drops_segment_after_seek() -> None:
    class Deaf(FakeFleet):
        def media(
            self, url: str, kind: str, *, line_bits_per_s: float, is_wanted: Callable[[], bool]
        ) -> tuple[int, float] | None:
            return super().media(url, kind, line_bits_per_s=line_bits_per_s, is_wanted=lambda: True)

    fleet = Deaf()
    fleet.line_bits_per_s = 6e6
    seen = watch(fleet, seeks=(Seek(0.5, 30.0),))
    assert (seen.ending, len(seen.seek_waits_s)) == ("finished", 1)


def test_watching_plays_without_sound() -> None:
    assert watch(FakeFleet(sound=False)).ending == "finished"


def test_watching_plays_on_after_short_sound() -> None:
    assert watch(FakeFleet(sound_segments=SEGMENTS - 1)).ending == "finished"


def test_watching_tells_cmcd_on_each_request() -> None:
    fleet = FakeFleet()
    fleet.separator = "&"
    watch(fleet)
    queries = [parse_qs(urlsplit(url).query) for url in fleet.asked]
    told = [query["CMCD"][0] for query in queries]
    assert all('sid="s"' in each for each in told)
    media = [each for each, url in zip(told, fleet.asked, strict=True) if "low/0.m4s" in url]
    assert "ot=v" in media[0]
    assert 'nor="1.m4s"' in media[0]
    assert ",su," in media[0]
    assert not any("bs," in each for each in told)


def test_watching_tells_starvation_once() -> None:
    fleet = FakeFleet(sound=False)
    fleet.line_bits_per_s = 0.25e6
    seen = watch(fleet)
    told = [parse_qs(urlsplit(url).query)["CMCD"][0] for url in fleet.asked if ".m4s" in url]
    assert sum(",bs," in each for each in told) == len(seen.stalls_s) - 1 > 0  # the last ended with the last segment


def test_record_counts_open_viewing_as_cut() -> None:
    fleet = FakeFleet()
    viewer = Viewer(20_000_000, 30.0, inf, ())
    watching = Watching(fleet, "f", session="s", viewer=viewer, chance=random.Random(1))
    fleet.at = 2
    assert (watching.viewing().ending, watching.viewing().unstarted_s) == ("run over", 2)
