from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from demo.places import Places
from demo.settings_files import settings_files
from fill.settings import FillSettings
from oca.common import settings
from oca.settings import load_settings
from steering.settings import SteeringSettings

PLACES = Places("127.0.7", Path("demo-folder"))


def _files(places: Places = PLACES) -> dict[str, str]:
    files = settings_files(places, films_bytes=[600, 400], workers=1)
    return {str(path.relative_to(places.run)): text for path, text in files}


def test_files_are_toml_for_every_process() -> None:
    files = _files()
    assert len(files) == 7
    for text in files.values():
        tomllib.loads(text)


@pytest.mark.parametrize("appliance", ["metro-a", "metro-b", "region-a"])
def test_appliance_file_passes_its_own_check(appliance: str, tmp_path: Path) -> None:
    file = tmp_path / "appliance.toml"
    file.write_text(_files()[f"{appliance}/appliance.toml"])
    found = load_settings(file)
    assert found.appliance.id == appliance
    assert found.delivery.workers == 1
    assert 0 < found.store.device_bytes_max < 1000


def test_fill_file_passes_its_own_check(tmp_path: Path) -> None:
    file = tmp_path / "fill.toml"
    file.write_text(_files()["metro-a/fill.toml"])
    assert settings.load(FillSettings, file, environment={}, prefix="X").box.config == "appliance.toml"


def test_steering_file_passes_its_own_check(tmp_path: Path) -> None:
    file = tmp_path / "steering.toml"
    file.write_text(_files()["steering/steering.toml"])
    found = settings.load(SteeringSettings, file, environment={}, prefix="X")
    assert [site.id for site in found.site] == ["metro", "region"]
    assert sum(len(site.appliance) for site in found.site) == 3


def test_files_of_several_instances_share_one_state(tmp_path: Path) -> None:
    places = Places("127.0.7", Path("demo-folder"), "nats")
    files = _files(places)
    assert len(files) == 12
    tables = []
    for number in (1, 2, 3):
        file = tmp_path / f"{number}.toml"
        file.write_text(files[f"steering-{number}/steering.toml"])
        tables.append(settings.load(SteeringSettings, file, environment={}, prefix="X").state)
    assert {table.engine for table in tables} == {"nats"}
    assert len({table.path for table in tables}) == len({table.instance for table in tables}) == 3
    assert {table.nats.urls for table in tables} == {tuple(f"nats://{client}" for client, _ in places.nats)}
    file.write_text(files["metro-a/appliance.toml"])
    assert load_settings(file).steering.urls == tuple(instance.url for instance in places.instances)
    assert files["nats-2/nats.conf"].count("6222") == 4
