from __future__ import annotations

import errno
from datetime import UTC, time
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from fill.s3 import Bucket
from fill.settings import load, read_zone
from fill.tables import FillTable
from fill.window import Span, parse_blackout
from oca.common.errors import ConfigError

APPLIANCE = (
    '[appliance]\nid = "fra1-a"\nsite = "fra1"\n[delivery]\nworkers = 1\n[steering]\nurl = "http://127.0.0.1:8090"\n'
)


def write(folder: Path, fill: str = "", appliance: str = APPLIANCE) -> Path:
    (folder / "box").mkdir()
    (folder / "box" / "appliance.toml").write_text(appliance)
    (folder / "fill.toml").write_text('[box]\nconfig = "box/appliance.toml"\n' + fill)
    return folder / "fill.toml"


def test_settings_take_box_from_appliance_file_beside_them(tmp_path: Path) -> None:
    loaded = load(write(tmp_path, '[window]\nstart = "01:30"\n'), ["fill.parallel_assets=3"])
    assert (loaded.box.appliance.id, loaded.box.steering.url) == ("fra1-a", "http://127.0.0.1:8090")
    assert loaded.own.fill.parallel_assets == 3
    assert loaded.window.days == ((Span(time(1, 30), time(14)),),) * 7
    assert loaded.devices == (Path("/var/lib/oca/nvme0"),)


def test_settings_go_by_installed_file_where_none_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fill.settings.INSTALLED", write(tmp_path, "[fill]\nparallel_assets = 3\n"))
    assert load(None, []).own.fill.parallel_assets == 3
    monkeypatch.setattr("fill.settings.INSTALLED", tmp_path / "none/fill.toml")
    with pytest.raises(ConfigError, match=r"none/appliance\.toml is not there, and no --config is given"):
        load(None, [])
    monkeypatch.setattr("fill.settings.INSTALLED", tmp_path / "box/fill.toml")  # not there: the defaults
    loaded = load(None, [])
    assert (loaded.box.appliance.id, loaded.own.fill.parallel_assets) == ("fra1-a", FillTable().parallel_assets)


def test_settings_name_the_box_file_that_this_user_may_not_see(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(path: Path) -> bool:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr("fill.settings.INSTALLED", tmp_path / "fill.toml")
    (tmp_path / "fill.toml").write_text('[box]\nconfig = "box/appliance.toml"\n')
    monkeypatch.setattr(Path, "exists", refuses)
    with pytest.raises(ConfigError, match=r"box/appliance\.toml: cannot be read"):
        load(None, [])


def test_settings_give_days_windows_of_their_own(tmp_path: Path) -> None:
    text = """
    [window]
    days = ["monday", "sunday"]
    rate_bytes_per_s_max = 1000
    blackout_dates = ["2026-12-24/2026-12-26", "2027-01-01"]
    [[day_window]]
    days = ["sunday"]
    start = "03:00"
    end = "10:00"
    [[day_window]]
    days = ["sunday"]
    start = "20:00"
    end = "21:00"
    """
    window = load(write(tmp_path, text), []).window
    own = (Span(time(3), time(10)), Span(time(20), time(21)))
    assert window.days == ((Span(time(2), time(14), 1000),), (), (), (), (), (), own)
    assert window.blackouts == (parse_blackout("2026-12-24/2026-12-26"), parse_blackout("2027-01-01"))


@pytest.mark.parametrize(
    ("fill", "appliance", "says"),
    [
        ("[fil]\n", APPLIANCE, "unknown table fil"),
        ("[fill]\nrounds_max = 0\n", APPLIANCE, "fill.rounds_max = 0"),
        ('[window]\nend = "24:00"\n', APPLIANCE, 'window.end = "24:00"'),
        ('[window]\ntime_zone = "Mars/Olympus"\n', APPLIANCE, "knows no such time zone"),
        ('[window]\ntime_zone = "../../etc/passwd"\n', APPLIANCE, "knows no such time zone"),
        ("[window]\ndays = []\n", APPLIANCE, "no window ever opens"),
        ('[window]\ndays = ["moonday"]\n', APPLIANCE, "window.days"),
        ('[window]\nblackout_dates = ["tomorrow"]\n', APPLIANCE, "window.blackout_dates"),
        ('[window]\nblackout_dates = ["2026-02-30"]\n', APPLIANCE, "2026-02-30"),
        ('[[day_window]]\ndays = ["monday"]\nstart = "3"\nend = "04:00"\n', APPLIANCE, "day_window"),
        ("", APPLIANCE.replace("http://127.0.0.1:8090", ""), "steering.url is empty"),
        ("", APPLIANCE + 'token_file = "/nowhere/token"\n', "steering.token_file = '/nowhere/token': cannot be read"),
    ],
)
def test_settings_name_what_is_wrong(tmp_path: Path, fill: str, appliance: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(write(tmp_path, fill, appliance), [])
    assert says in str(caught.value)


def test_settings_name_missing_appliance_file(tmp_path: Path) -> None:
    (tmp_path / "fill.toml").write_text("")
    with pytest.raises(ConfigError, match=r"appliance\.toml: cannot be read"):
        load(tmp_path / "fill.toml", [])


def test_settings_bring_token_of_box(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("0123456789abcdef\n")
    loaded = load(write(tmp_path, appliance=APPLIANCE + f'token_file = "{tmp_path / "token"}"\n'), [])
    assert loaded.credentials.headers("GET", "/") == {"Authorization": "Bearer 0123456789abcdef"}


def test_zone_is_the_named_one_or_the_machines(tmp_path: Path) -> None:
    assert read_zone("Europe/Berlin") == ZoneInfo("Europe/Berlin")
    assert read_zone("", machine_zone=tmp_path / "none") is UTC
    (tmp_path / "localtime").write_bytes(b"not a zone")
    with pytest.raises(ConfigError):
        read_zone("", machine_zone=tmp_path / "localtime")


S3 = '[[s3]]\nurl = "https://films.s3.example.com/"\nregion = "eu-central-1"\ncredentials_file = "{}"\n'


def test_settings_bring_key_of_bucket(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("AKIAEXAMPLE:a/secret:with+colon\n")
    loaded = load(write(tmp_path, S3.format(tmp_path / "key")), [])
    assert loaded.buckets == (
        Bucket("https://films.s3.example.com", "eu-central-1", "AKIAEXAMPLE", "a/secret:with+colon"),
    )


@pytest.mark.parametrize("text", ["AKIAEXAMPLE-without-secret\n", ":only-a-secret-here\n", "only-an-id-here-:\n"])
def test_settings_refuse_key_of_bucket_that_is_half(tmp_path: Path, text: str) -> None:
    (tmp_path / "key").write_text(text)
    with pytest.raises(ConfigError, match="no colon between access key id and secret access key") as caught:
        load(write(tmp_path, S3.format(tmp_path / "key")), [])
    assert text.strip() not in str(caught.value)
