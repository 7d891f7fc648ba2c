from __future__ import annotations

from pathlib import Path

import pytest
from defusedxml.ElementTree import fromstring

from steering.titles.catalogue import MpdTemplate
from steering.titles.packaged_dash import read_mpd
from steering.titles.unservable import UnservableError
from tests.unit.steering.made_up import MPD

ASSETS = {
    **{f"{name}.m4s": "t/video" for name in ("init-0", "seg-0-00001", "seg-0-00002")},
    **{f"{name}.m4s": "t/audio" for name in ("init-1", "seg-1-00001", "seg-1-00002")},
}


def read(folder: Path, text: str = MPD, *, file: str = "manifest.mpd", assets: dict[str, str] = ASSETS) -> MpdTemplate:
    path = folder / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return read_mpd(folder, file, assets, "/t")


def test_mpd_is_cut_where_addresses_go(tmp_path: Path) -> None:
    template = read(tmp_path)
    assert template.slots == ["", "t/video", "t/audio"]
    assert template.folders == ["/t/", "/t/", "/t/"]
    assert len(template.pieces) == 4
    text = "<BaseURL/>".join(template.pieces)
    root = fromstring(text)
    assert root.tag.endswith("}MPD")
    assert 'xmlns="urn:mpeg:dash:schema:mpd:2011"' in text
    assert "oca-slot" not in text


def test_mpd_in_a_folder_of_its_own_counts_from_there(tmp_path: Path) -> None:
    template = read(
        tmp_path, file="dash/manifest.mpd", assets={f"dash/{name}": owner for name, owner in ASSETS.items()}
    )
    assert template.folders == ["/t/dash/"] * 3


def test_mpd_keeps_prefixes_that_players_look_for(tmp_path: Path) -> None:
    protected = MPD.replace("<MPD ", '<MPD xmlns:cenc="urn:mpeg:cenc:2013" ').replace(
        '<Representation id="0"',
        '<ContentProtection><cenc:pssh>AA</cenc:pssh></ContentProtection><Representation id="0"',
    )
    assert "<cenc:pssh>" in "".join(read(tmp_path, protected).pieces)


def test_mpd_folds_its_own_base_url_into_ours(tmp_path: Path) -> None:
    moved = MPD.replace("<ProgramInformation/>", "<BaseURL>media/</BaseURL><Location>http://x</Location>")
    template = read(tmp_path, moved, assets={f"media/{name}": owner for name, owner in ASSETS.items()})
    assert template.folders == ["/t/media/"] * 3
    assert "BaseURL" not in "".join(template.pieces)
    assert "Location" not in "".join(template.pieces)


def test_mpd_resolves_base_urls_down_to_representation(tmp_path: Path) -> None:
    text = """<MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><Period><BaseURL>p/</BaseURL>
      <AdaptationSet><BaseURL>a/</BaseURL>
        <Representation id="0"><BaseURL>one.mp4</BaseURL><SegmentBase/></Representation>
        <Representation id="1"><SegmentList><SegmentURL media="two.mp4"/></SegmentList></Representation>
      </AdaptationSet></Period></MPD>"""
    template = read(tmp_path, text, assets={"p/a/one.mp4": "t/one", "p/a/two.mp4": "t/two"})
    assert template.slots == ["", "t/one", "t/two"]
    assert template.folders == ["/t/", "!/t/p/a/one.mp4", "/t/p/a/"]
    assert "one.mp4" not in "".join(template.pieces)
    assert "<BaseURL>p/</BaseURL>" in "".join(template.pieces)


def test_mpd_expands_time_bandwidth_and_dollar(tmp_path: Path) -> None:
    text = MPD.replace("seg-$RepresentationID$-$Number%05d$.m4s", "$Bandwidth$-$Time$$$.m4s", 1)
    assets = {**ASSETS, "235000-0$.m4s": "t/video", "235000-4000$.m4s": "t/video"}
    assert read(tmp_path, text, assets=assets).slots[1] == "t/video"


def test_mpd_repeats_last_segment_to_the_end_of_the_period(tmp_path: Path) -> None:
    assert read(tmp_path, MPD.replace(' r="1"', ' r="-1"')).slots[1] == "t/video"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("<Period>", "<Period", "not sound XML"),
        ('<?xml version="1.0"?>', '<!DOCTYPE x [<!ENTITY e "x">]>', "not sound XML"),
        ("MPD", "SVG", "not an MPD"),
        ('type="static"', 'type="dynamic"', "type='dynamic'"),
        ("seg-$", "other-$", "Representation '0' wants other-0-00001.m4s, which no HLS playlist names"),
        ("init-$RepresentationID$", "init-1", "mixes t/audio and t/video"),
        ("<ProgramInformation/>", "<BaseURL>http://x/</BaseURL>", "leads outside the folder"),
        ("<ProgramInformation/>", "<BaseURL>a/</BaseURL><BaseURL>b/</BaseURL>", "several BaseURL"),
        ('d="4000"', 'd="0"', "a SegmentTemplate in the MPD is wrong: S@d is not positive"),
        (' r="1"', ' r="many"', "a SegmentTemplate in the MPD is wrong"),
        (' r="1"', ' r="200000000"', "which no HLS playlist names"),
        ("Representation", "Other", "has no Representation"),
        ('="PT8S"', f'="PT{"9" * 400}S"', "manifest.mpd: a figure in it is wrong: cannot convert float infinity"),
        (' timescale="1" ', f' timescale="{"9" * 400}" ', "manifest.mpd: a figure in it is wrong: int too large"),
        (' timescale="1" ', f' timescale="{"9" * 5000}" ', "a SegmentTemplate in the MPD is wrong"),
        ("<ProgramInformation/>", "<a>" * 5000 + "</a>" * 5000, "manifest.mpd: nested too deep"),
    ],
)
def test_mpd_refuses_what_cannot_be_served(tmp_path: Path, old: str, new: str, told: str) -> None:
    with pytest.raises(UnservableError) as refused:
        read(tmp_path, MPD.replace(old, new))
    assert told in refused.value.message


def test_mpd_refuses_representation_without_segments(tmp_path: Path) -> None:
    text = MPD.replace('initialization="init-$RepresentationID$.m4s"', "").replace('<S t="0" d="4000" r="1"/>', "")
    with pytest.raises(UnservableError, match="names no segment"):
        read(tmp_path, text)
