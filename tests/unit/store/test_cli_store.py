"""``oca store`` as an operator meets it: what it prints, its exit codes, one line for what is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from oca.cli_store import store_app
from oca.common.command import new_app, run_app
from oca.store.store import Store
from tests.unit.store.made_up import flip_byte

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def config(tmp_path: Path, device: Path) -> Path:
    path = tmp_path / "appliance.toml"
    path.write_text(f'[appliance]\nid = "a"\nsite = "s"\n[store]\ndevices = ["{device}"]\n')
    return path


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "film"
    folder.mkdir()
    (folder / "index.m3u8").write_bytes(b"#EXTM3U\n")
    (folder / "seg-1.m4s").write_bytes(bytes(2_000_000))
    return folder


def run(*arguments: object) -> int:
    app = new_app("oca", "0", "test")
    app.add_typer(store_app, name="store")
    with pytest.raises(SystemExit) as left:
        run_app(app, "oca", ["store", *map(str, arguments)])
    assert isinstance(left.value.code, int)
    return left.value.code


def run_import(config: Path, source: Path, asset: str = "harbour/all", mount: str = "/harbour") -> int:
    return run("import", source, "--asset", asset, "--mount", mount, "--config", config)


def printed(capture: Capture) -> Any:
    return json.loads(capture.readouterr().out)


def test_commands_go_by_installed_file_where_none_is_named(
    config: Path, device: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setattr("oca.store_command.INSTALLED", config)
    assert run("devices") == 0
    assert str(device) in capsys.readouterr().out


def test_import_then_ls_lists_asset(config: Path, source: Path, capsys: Capture) -> None:
    assert run_import(config, source) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith("harbour/all: 2 objects, 1.9 MiB, revision ")
    assert "reading: 100 % of 1.9 MiB" in captured.err
    assert "importing: 100 % of 1.9 MiB" in captured.err
    assert run("ls", "--config", config) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["ASSET", "REVISION", "SIZE", "OBJECTS", "DEVICE", "COMMITTED"]
    assert lines[1].startswith("harbour/all")
    assert lines[2].startswith("1 assets, 2 objects, 1.9 MiB of ")


def test_ls_prints_json_for_programs(config: Path, source: Path, capsys: Capture) -> None:
    run_import(config, source)
    capsys.readouterr()
    assert run("ls", "--json", "--config", config) == 0
    listing = printed(capsys)
    assert [held["asset"] for held in listing["assets"]] == ["harbour/all"]
    assert (listing["use"]["objects"], listing["failed"]) == (2, [])


def test_verify_proves_sound_store(config: Path, source: Path, capsys: Capture) -> None:
    run_import(config, source)
    capsys.readouterr()
    assert run("verify", "--config", config) == 0
    assert capsys.readouterr().out == "verified 1 packs, 2 objects, 1.9 MiB\n"


def test_verify_fails_and_names_damaged_object(config: Path, source: Path, device: Path, capsys: Capture) -> None:
    run_import(config, source)
    flip_byte(device / "packs" / "00000001.pack", 100_000)
    capsys.readouterr()
    assert run("verify", "--config", config) == 1
    captured = capsys.readouterr()
    assert "harbour/all: /harbour/seg-1.m4s: its bytes do not match its digest" in captured.err
    assert captured.err.splitlines()[-1] == (
        "oca: the store has 1 faults; harbour/all out of service; the next fill mends that, 'oca-fill run' at once"
    )
    assert run("verify", "--json", "--config", config) == 0  # what is out of service is not promised any more
    assert run("ls", "--json", "--config", config) == 0
    assert "harbour/all" not in capsys.readouterr().out


def test_verify_changes_nothing_if_told_to_report_only(
    config: Path, source: Path, device: Path, capsys: Capture
) -> None:
    run_import(config, source)
    flip_byte(device / "packs" / "00000001.pack", 100_000)
    capsys.readouterr()
    for _ in range(2):
        assert run("verify", "--json", "--report-only", "--config", config) == 1
        captured = capsys.readouterr()
        told = json.loads(captured.out)
        assert [(fault["asset"], fault["kind"]) for fault in told["faults"]] == [("harbour/all", "damaged")]
        assert told["quarantined"] == []
        assert "run it without --report-only" in captured.err


def test_rebuild_reports_what_it_found(config: Path, source: Path, device: Path, capsys: Capture) -> None:
    run_import(config, source)
    (device / "index" / "data.mdb").write_bytes(b"\xff" * 65536)
    assert run("ls", "--config", config) == 1
    assert "index is damaged" in capsys.readouterr().err
    assert run("rebuild", "--config", config) == 0
    captured = capsys.readouterr()
    assert f"{device}: 1 assets, 2 objects" in captured.out
    assert f"rebuilding {device}: 100 % of 1 packs" in captured.err
    assert run("rebuild", "--json", "--config", config) == 0
    assert printed(capsys)[0]["assets"] == 1
    assert run("verify", "--config", config) == 0


def test_remove_frees_space(config: Path, source: Path, capsys: Capture) -> None:
    run_import(config, source)
    capsys.readouterr()
    assert run("remove", "harbour/al", "--config", config) == 1
    assert "harbour/al: is not held, nothing was removed; did you mean harbour/all?" in capsys.readouterr().err
    assert run("remove", "harbour/all", "--config", config) == 0
    assert capsys.readouterr().out == "harbour/all: removed, 1.9 MiB freed\n"
    assert run("remove", "harbour/all", "--json", "--config", config) == 1
    run_import(config, source)
    capsys.readouterr()
    assert run("remove", "harbour/all", "--json", "--config", config) == 0
    assert printed(capsys)[0]["asset"] == "harbour/all"


def test_import_refuses_path_of_another_asset(config: Path, source: Path, capsys: Capture) -> None:
    run_import(config, source)
    assert run_import(config, source, asset="harbour/other") == 1
    assert "belongs to the asset harbour/all" in capsys.readouterr().err


def test_commands_refuse_wrong_configuration_and_device(config: Path, capsys: Capture) -> None:
    assert run("ls", "--config", config, "--set", "store.devics=[]") == 78
    assert run("ls", "--config", config, "--set", 'store.devices=["/nonexistent/nvme0"]') == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("oca: /nonexistent/nvme0: cannot use as a device: No such file or directory; mount")


def test_commands_that_write_refuse_device_in_use(config: Path, source: Path, device: Path, capsys: Capture) -> None:
    store = Store.open([device])
    assert run_import(config, source) == 1
    assert run("rebuild", "--config", config) == 1
    assert "another process writes to it" in capsys.readouterr().err
    assert run("ls", "--config", config) == 0
    store.close()


def test_commands_that_write_name_device_that_is_left_out(
    config: Path, source: Path, device: Path, capsys: Capture
) -> None:
    devices = f'store.devices=["{device}", "/nonexistent/nvme9"]'
    left_out = "/nonexistent/nvme9: cannot use as a device: No such file or directory; mount"
    arguments = ("--asset", "harbour/all", "--mount", "/harbour", "--config", config, "--set", devices)
    assert run("import", source, *arguments) == 0
    assert left_out in capsys.readouterr().err
    assert run("remove", "harbour/all", "--config", config, "--set", devices) == 0
    assert left_out in capsys.readouterr().err


def test_ls_lists_what_works_and_names_device_whose_index_is_damaged(
    config: Path, source: Path, make_device: Callable[[str], Path], capsys: Capture
) -> None:
    run_import(config, source)
    other = make_device("nvme1")
    store = Store.open([other])
    index = store.devices()[0].index
    with index._environment.begin(index._packs, write=True) as transaction:
        transaction.put(b"\0\0\0\1", b"\xc1")
    store.close()
    both = ("--config", config, "--set", f'store.devices=["{config.parent / "nvme0"}", "{other}"]')
    capsys.readouterr()
    assert run("ls", *both) == 0
    captured = capsys.readouterr()
    assert "harbour/all" in captured.out
    assert captured.err.startswith(f"{other}: {other}/index: the index is damaged: ")
    assert run("verify", *both) == 1
    assert f"{other}: {other}/index: the index is damaged: " in capsys.readouterr().err
    assert run("ls", "--config", config, "--set", f'store.devices=["{other}"]') == 1
    assert "oca store rebuild" in capsys.readouterr().err


def test_progress_is_a_bar_on_a_terminal(
    config: Path, source: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    assert run_import(config, source) == 0
    assert "importing: " not in capsys.readouterr().err
