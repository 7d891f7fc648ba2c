from __future__ import annotations

import contextlib
import errno
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
import xxhash
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oca.common.digest import revision_of
from steering.state.embedded import EmbeddedState
from steering.titles.catalogue import Catalogue, read_titles
from steering.titles.publish import Publication, publish
from steering.titles.unservable import UnservableError
from tests.unit.steering.made_up import make_title, media_playlist, write_package

PUBLISHES = """
import os, sys
from pathlib import Path
from steering.titles.publish import Publication, publish
if os.geteuid() == 0:
    os.seteuid(65534)
plain = Publication("harbour", "Harbour", "/harbour", "", (), 5, 7)
publish(Path(sys.argv[1]), plain, None, progress=lambda done, total: None)
"""
PLAIN = Publication("harbour", "Harbour", "/harbour", "", (), 5, 7)


def put(folder: Path, state: EmbeddedState, publication: Publication = PLAIN) -> Catalogue:
    publish(folder, publication, state, progress=lambda done, total: None)
    return Catalogue(state)


def test_publish_makes_one_asset_of_each_rendition(package: Path, state: EmbeddedState) -> None:
    catalogue = put(package, state)
    title = catalogue.titles["harbour"]
    assert [(asset.asset, asset.kind) for asset in title.assets] == [
        ("harbour/video-240p", "video"),
        ("harbour/audio-en", "audio"),
        ("harbour/manifests", "manifests"),
    ]
    assert (title.duration_s, title.poster, title.released_at_ns) == (8.0, "/harbour/poster.jpg", 5)
    assert title.mpd is not None
    assert title.mpd.slots == ["", "harbour/video-240p", "harbour/audio-en"]
    assert title.variants[0].asset == "harbour/video-240p"
    assert title.tracks[0].asset == "harbour/audio-en"


def test_publish_digests_every_object_in_play_order(package: Path, state: EmbeddedState) -> None:
    stored = put(package, state).asset("harbour/video-240p")
    assert stored is not None
    assert [item.path for item in stored.objects] == [
        f"/harbour/{file}" for file in ("media-0.m3u8", "init-0.m4s", "seg-0-00001.m4s", "seg-0-00002.m4s")
    ]
    for item in stored.objects:
        content = (package / item.path.rpartition("/")[2]).read_bytes()
        assert (item.bytes, item.digest) == (len(content), xxhash.xxh3_128_hexdigest(content))
    assert stored.revision == revision_of([(item.path, item.digest) for item in stored.objects])
    assert stored.objects[0].media_type == "application/vnd.apple.mpegurl"


def test_publish_measures_bitrates(package: Path, state: EmbeddedState) -> None:
    summary = put(package, state).assets["harbour/video-240p"]
    assert summary.bitrate_bits_per_s == (1000 + 2000) * 8 / 8
    assert summary.peak_bits_per_s == 2000 * 8 / 4


def test_publish_finds_asset_of_every_object(package: Path, state: EmbeddedState) -> None:
    catalogue = put(package, state, replace_publication(mount="/films/x"))
    assert catalogue.asset_of_object("/films/x/seg-1-00001.m4s") == "harbour/audio-en"
    assert catalogue.asset_of_object("/films/x/poster.jpg") == "harbour/manifests"
    assert catalogue.asset_of_object("/harbour/poster.jpg") is None
    assert catalogue.title_of("harbour/audio-en") is catalogue.titles["harbour"]


def replace_publication(**changes: object) -> Publication:
    return replace(PLAIN, **changes)  # type: ignore[arg-type]


def test_publish_keeps_the_synopsis(package: Path, state: EmbeddedState) -> None:
    about = "Ein Wärter zählt Schiffe; keines legt an."
    assert put(package, state, replace_publication(synopsis=about)).titles["harbour"].synopsis == about


def test_catalogue_reads_title_from_before_there_was_a_synopsis(state: EmbeddedState) -> None:
    old = msgspec.to_builtins(make_title())
    del old["synopsis"]
    with state.write() as transaction:
        transaction.put("title/harbour", msgspec.msgpack.encode(old))
    assert Catalogue(state).titles["harbour"].synopsis == ""


def test_publish_replaces_title_and_changes_only_revisions_that_changed(package: Path, state: EmbeddedState) -> None:
    before = dict(put(package, state).assets)
    (package / "media-0.m3u8").write_text(media_playlist(0, segments=1))
    (package / "manifest.mpd").unlink()
    (package / "seg-0-00002.m4s").unlink()
    catalogue = put(package, state)
    assert catalogue.asset_of_object("/harbour/seg-0-00002.m4s") is None
    assert catalogue.assets["harbour/video-240p"].revision != before["harbour/video-240p"].revision
    assert catalogue.assets["harbour/audio-en"].revision == before["harbour/audio-en"].revision
    assert catalogue.titles["harbour"].mpd is None
    assert len(read_titles(state)) == 1


def test_catalogue_takes_up_what_is_published_beside_it(package: Path, state: EmbeddedState) -> None:
    catalogue = Catalogue(state)
    assert not catalogue.refresh()
    with state.write() as transaction:
        transaction.put("demand/x", b"")
    assert not catalogue.refresh()
    put(package, state)
    assert catalogue.refresh()
    assert list(catalogue.titles) == ["harbour"]


def test_publish_tells_progress_in_bytes(package: Path, state: EmbeddedState) -> None:
    told: list[tuple[int, int]] = []
    publish(package, PLAIN, state, progress=lambda done, total: told.append((done, total)))
    total = sum(path.stat().st_size for path in package.iterdir())
    assert told[-1] == (total, total)
    assert [done for done, _ in told] == sorted(done for done, _ in told)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"title": "No Good"}, "--title 'No Good' cannot be used"),
        ({"mount": "no-slash"}, "--mount 'no-slash' cannot be used"),
        ({"mount": "/a/../b"}, "--mount"),
        ({"mount": "/" + "x" * 479}, "is too long or unsafe"),
        ({"regions": ("Germany",)}, "--region 'Germany' is no country code"),
        ({"name": "x" * 201}, "--name of 201 characters"),
        ({"synopsis": "two\nlines"}, "--synopsis of 9 characters cannot be shown"),
        ({"origin_url": "ftp://x"}, "--origin-url 'ftp://x' cannot be used"),
    ],
)
def test_publish_refuses_what_it_cannot_use(
    package: Path, state: EmbeddedState, changes: dict[str, object], told: str
) -> None:
    with pytest.raises(UnservableError) as refused:
        put(package, state, replace_publication(**changes))
    assert told in refused.value.message
    assert read_titles(state) == []


@pytest.mark.parametrize("duration", ["1e-300", "1e-320", "0.0000000000001"])
def test_publish_refuses_durations_that_cannot_be(package: Path, state: EmbeddedState, duration: str) -> None:
    (package / "media-0.m3u8").write_text(media_playlist(0).replace("4.0", duration))
    with pytest.raises(UnservableError, match=r"media-0\.m3u8: .* bit/s at its peak"):
        put(package, state)
    assert read_titles(state) == []


SPOILT = st.tuples(
    st.sampled_from(["master.m3u8", "media-0.m3u8", "manifest.mpd"]),
    st.integers(0, 10**4),
    st.integers(0, 12),
    st.sampled_from(["", "-", "9" * 400, "1e400", "nan", "//[", "\0", "\ud7ff", '"', ",", "\n", "<a>", "&x;", "$"]),
)


@given(st.lists(SPOILT, min_size=1, max_size=3))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
def test_publish_takes_or_refuses_whatever_it_is_given(
    package: Path, state: EmbeddedState, spoilt: list[tuple[str, int, int, str]]
) -> None:
    write_package(package)
    for file, at, length, text in spoilt:
        whole = (package / file).read_text()
        start = at % (len(whole) + 1)
        (package / file).write_text(whole[:start] + text + whole[start + length :])
    with contextlib.suppress(UnservableError):
        put(package, state)


@pytest.mark.parametrize("method", ["is_dir", "open", "stat"])
def test_publish_names_what_cannot_be_read(
    package: Path, state: EmbeddedState, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    def refused(path: Path, *_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, method, refused)
    with pytest.raises(UnservableError) as told:
        publish(package, PLAIN, state, progress=lambda done, total: None)
    monkeypatch.undo()
    assert f"{package}" in told.value.message
    assert "cannot be read: Permission denied" in told.value.message
    assert "let the user" in told.value.remedy
    assert list(read_titles(state)) == []


@pytest.mark.parametrize(("closed", "mode"), [(".", 0o111), ("extras", 0o000)])
def test_publish_names_folder_that_its_user_cannot_list(closed: str, mode: int) -> None:
    """For real: as nobody, where the tests run as root."""
    with tempfile.TemporaryDirectory() as made:
        Path(made).chmod(0o755)
        package = write_package(Path(made, "harbour"))
        (package / "extras").mkdir()
        (package / "extras/credits.vtt").write_text("WEBVTT")
        (package / closed).chmod(mode)
        try:
            done = subprocess.run(
                [sys.executable, "-c", PUBLISHES, str(package)], capture_output=True, text=True, check=False, timeout=60
            )
        finally:
            (package / closed).chmod(0o755)
    assert f"UnservableError: {package / closed}: cannot be read: Permission denied" in done.stderr, done.stderr


def test_publish_refuses_path_of_another_title(package: Path, state: EmbeddedState) -> None:
    put(package, state)
    with pytest.raises(UnservableError, match="another title already serves this path"):
        put(package, state, replace_publication(title="other"))
    assert [title.title for title in read_titles(state)] == ["harbour"]
    assert Catalogue(state).asset_of_object("/harbour/poster.jpg") == "harbour/manifests"


def test_publish_refuses_file_that_changes_meanwhile(package: Path, state: EmbeddedState) -> None:
    def write_more(done: int, total: int) -> None:
        del done, total
        (package / "media-0.m3u8").write_text(media_playlist(0) + "# more\n")

    with pytest.raises(UnservableError, match=r"media-0\.m3u8: changed while it was read"):
        publish(package, PLAIN, state, progress=write_more)
    assert read_titles(state) == []
