from __future__ import annotations

from pathlib import Path

import pytest

from steering.titles.packaged import read_package, resolve
from steering.titles.unservable import UnservableError
from tests.unit.steering.made_up import MASTER, media_playlist, write_package


def test_package_splits_into_renditions_tracks_and_the_rest(package: Path) -> None:
    found = read_package(package)
    video, audio = found.assets
    assert (video.label, video.kind, video.playlist) == ("video-240p", "video", "media-0.m3u8")
    assert video.files == ("media-0.m3u8", "init-0.m4s", "seg-0-00001.m4s", "seg-0-00002.m4s")
    assert video.duration_s == 8.0
    assert (audio.label, audio.kind) == ("audio-en", "audio")
    assert found.others == ("master.m3u8", "manifest.mpd", "poster.jpg")
    assert found.mpd == "manifest.mpd"
    assert [(entry.asset, entry.bandwidth, entry.audio) for entry in found.variants] == [("video-240p", 300000, "aud")]
    assert [(entry.asset, entry.group, entry.language, entry.default) for entry in found.tracks] == [
        ("audio-en", "aud", "en", True)
    ]


def test_package_leaves_hidden_files_out_and_says_so(package: Path) -> None:
    (package / ".recipe").write_text("x")
    (package / ".work").mkdir()
    (package / ".work/notes").write_text("x")
    assert read_package(package).skipped == (".recipe", ".work")


def test_package_names_equal_heights_apart(package: Path) -> None:
    more = MASTER + '#EXT-X-STREAM-INF:BANDWIDTH=9,RESOLUTION=426x240,AUDIO="aud"\nmedia-2.m3u8\n'
    more += '#EXT-X-STREAM-INF:BANDWIDTH=64000,AUDIO="aud"\nmedia-3.m3u8\n'
    (package / "master.m3u8").write_text(more)
    for stream in (2, 3):
        (package / f"media-{stream}.m3u8").write_text(f"#EXTM3U\n#EXTINF:4,\nfile-{stream}.ts\n#EXT-X-ENDLIST\n")
        (package / f"file-{stream}.ts").write_bytes(b"ts")
    assert [asset.label for asset in read_package(package).assets] == [
        "video-240p",
        "video-240p-2",
        "video-64k",
        "audio-en",
    ]


def test_package_reads_byte_ranges_of_one_file(package: Path) -> None:
    ranged = "#EXTM3U\n#EXTINF:4,\n#EXT-X-BYTERANGE:700@0\none.mp4\n#EXTINF:4,\n#EXT-X-BYTERANGE:300@700\none.mp4\n"
    (package / "media-0.m3u8").write_text(ranged + "#EXT-X-ENDLIST\n")
    (package / "one.mp4").write_bytes(b"x" * 1000)
    video = read_package(package).assets[0]
    assert video.files == ("media-0.m3u8", "one.mp4")
    assert [segment.bytes for segment in video.segments] == [700, 300]


def test_package_accepts_sound_inside_the_video(package: Path) -> None:
    (package / "master.m3u8").write_text('#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=9,CODECS="mp4a.40.2"\nmedia-0.m3u8\n')
    assert read_package(package).tracks == ()


def test_package_takes_subtitles_and_passes_over_captions(package: Path) -> None:
    extra = (
        '#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="s",NAME="Deutsch",URI="media-2.m3u8"\n'
        '#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID="c",NAME="CC",INSTREAM-ID="CC1"\n'
    )
    (package / "master.m3u8").write_text(MASTER.replace("#EXT-X-STREAM", extra + "#EXT-X-STREAM"))
    (package / "media-2.m3u8").write_text("#EXTM3U\n#EXTINF:8,\nsub.vtt\n#EXT-X-ENDLIST\n")
    (package / "sub.vtt").write_text("WEBVTT")
    assert [(track.asset, track.type) for track in read_package(package).tracks] == [
        ("audio-en", "AUDIO"),
        ("text-deutsch", "SUBTITLES"),
    ]


def spoil(folder: Path, file: str, text: str | bytes | None) -> None:
    if text is None:
        (folder / file).unlink()
    else:
        (folder / file).write_bytes(text if isinstance(text, bytes) else text.encode())


@pytest.mark.parametrize(
    ("file", "text", "told"),
    [
        ("seg-0-00002.m4s", None, "media-0.m3u8: names seg-0-00002.m4s, which is missing"),
        ("seg-0-00002.m4s", b"", "seg-0-00002.m4s: empty"),
        ("init-1.m4s", None, "media-1.m3u8: names init-1.m4s, which is missing"),
        ("media-1.m3u8", None, "master.m3u8: names media-1.m3u8, which is missing"),
        ("master.m3u8", None, "holds no HLS multivariant playlist"),
        ("second.m3u8", MASTER, "several multivariant playlists: master.m3u8, second.m3u8"),
        ("second.mpd", "x", "holds several MPDs: manifest.mpd, second.mpd"),
        ("media-0.m3u8", media_playlist(0, ended=False), "media-0.m3u8: has no EXT-X-ENDLIST"),
        ("media-0.m3u8", "#EXTM3U\n#EXT-X-ENDLIST\n", "media-0.m3u8: names no segment"),
        ("media-0.m3u8", media_playlist(0).replace("seg-0-00001", "../x"), "../x.m4s leads outside the folder"),
        ("media-0.m3u8", media_playlist(0).replace("seg-0", "http://evil.example/seg"), "leads outside the folder"),
        ("media-0.m3u8", media_playlist(0).replace("seg-0-00001.m4s", "seg-0-00001.m4s?x=1"), "leads outside"),
        ("media-0.m3u8", media_playlist(1), "belongs to media-0.m3u8 and to media-1.m3u8"),
        ("media-0.m3u8", media_playlist(0).replace("4.0", "0"), "has no duration"),
        ("media-0.m3u8", media_playlist(0).replace("4.0", "soon"), "media-0.m3u8: not a playlist"),
        ("media-0.m3u8", b"#EXTM3U\n\xff\xfe", "media-0.m3u8: not UTF-8"),
        ("media-0.m3u8", "hello", "media-0.m3u8: does not start with #EXTM3U"),
        ("media-0.m3u8", MASTER, "several multivariant playlists"),
        ("master.m3u8", MASTER.replace('AUDIO="aud"\n', 'AUDIO="none"\n'), "wants the audio group 'none'"),
        ("master.m3u8", "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=9\nmedia-0.m3u8\n", "has no audio"),
        ("master.m3u8", MASTER.replace("TYPE=AUDIO", "TYPE=VIDEO"), "TYPE=VIDEO is not supported"),
        ("a file.txt", "x", "'a file.txt': 'a file.txt' cannot stand in a URL"),
        *(
            ("media-0.m3u8", media_playlist(0).replace("4.0", text), "has no duration from 0 to 86400 s")
            for text in ("nan", "inf", "-inf", "-4", "86400", "1e300")
        ),
        *(
            (
                "media-0.m3u8",
                media_playlist(0).replace("4.0,\n", f"4.0,\n#EXT-X-BYTERANGE:{text}\n"),
                f"media-0.m3u8: EXT-X-BYTERANGE {text} names no bytes of its file of 1000",
            )
            for text in ("x@0", "-5@0", "0@0", "", "5@", "5@0@0", "9" * 16, "9" * 5000, "1001@0", "1@1000", "\u0665@0")
        ),
        *(
            ("master.m3u8", MASTER.replace("BANDWIDTH=300000", text), told)
            for text, told in (
                ("BANDWIDTH=" + "9" * 30, "master.m3u8: BANDWIDTH 1000000000000"),
                ("BANDWIDTH=" + "9" * 400, "master.m3u8: not a playlist"),
                ("BANDWIDTH=-5", "master.m3u8: BANDWIDTH -5, limit 0 to 9007199254740992"),
                ("BANDWIDTH=nan", "master.m3u8: not a playlist"),
                ("BANDWIDTH=5,AVERAGE-BANDWIDTH=-1", "master.m3u8: AVERAGE-BANDWIDTH -1"),
                ("BANDWIDTH=5,FRAME-RATE=nan", "master.m3u8: FRAME-RATE nan, limit 0 to 1000"),
                ("BANDWIDTH=5,FRAME-RATE=inf", "master.m3u8: FRAME-RATE inf"),
            )
        ),
        ("master.m3u8", MASTER.replace("426x240", "9" * 30 + "x240"), "master.m3u8: RESOLUTION 9999"),
        ("master.m3u8", MASTER.replace("426x240", "426x-1"), "master.m3u8: RESOLUTION -1"),
        ("media-0.m3u8", media_playlist(0).replace("seg-0-00001.m4s", "//[x"), "leads outside the folder"),
        ("media-0.m3u8", media_playlist(0).replace("seg-0-00002.m4s", ""), "media-0.m3u8: names a file without saying"),
        ("media-0.m3u8", media_playlist(0).replace('"init-0.m4s"', '""'), "media-0.m3u8: names a file without saying"),
    ],
)
def test_package_refuses_what_cannot_be_served(package: Path, file: str, text: str | bytes | None, told: str) -> None:
    spoil(package, file, text)
    with pytest.raises(UnservableError) as refused:
        read_package(package)
    assert told in refused.value.message
    assert refused.value.remedy


def test_package_refuses_link_that_leads_outside(package: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    (package / "leak.txt").symlink_to(tmp_path / "secret")
    with pytest.raises(UnservableError, match=r"'leak\.txt': a link that leads outside"):
        read_package(package)


def test_package_refuses_empty_and_missing_folders(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UnservableError, match="holds no file"):
        read_package(tmp_path / "empty")
    with pytest.raises(UnservableError, match="not a folder"):
        read_package(tmp_path / "missing")


def test_package_reads_playlists_in_folders_of_their_own(tmp_path: Path) -> None:
    folder = write_package(tmp_path / "flat")
    nested = tmp_path / "nested"
    (nested / "v").mkdir(parents=True)
    for file in folder.iterdir():
        file.rename(
            nested / "v" / file.name
            if file.name.split("-")[1:2] in (["0"], ["0.m3u8"], ["0.m4s"])
            else nested / file.name
        )
    (nested / "master.m3u8").write_text(MASTER.replace("\nmedia-0.m3u8", "\nv/media-0.m3u8"))
    assert read_package(nested).assets[0].files[0:2] == ("v/media-0.m3u8", "v/init-0.m4s")


@pytest.mark.parametrize(
    ("base", "uri", "path"),
    [
        ("a/b.m3u8", "c.m4s", "a/c.m4s"),
        ("a/b.m3u8", "../c.m4s", "c.m4s"),
        ("a/b.m3u8", "../../c.m4s", None),
        ("b.m3u8", "/c.m4s", None),
        ("b.m3u8", "./x/./c%2dd.m4s", "x/c-d.m4s"),
        ("b.m3u8", "//host/c", None),
        ("b.m3u8", "//[host/c", None),
        ("b.m3u8", "data:x", None),
        ("b.m3u8", "", None),
    ],
)
def test_uri_resolves_inside_the_folder_only(base: str, uri: str, path: str | None) -> None:
    assert resolve(base, uri) == path
