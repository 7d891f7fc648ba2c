import errno
import grp
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import pytest
from msgspec import Meta

from oca.common.errors import ConfigError
from oca.common.settings import FILE_BYTES_MAX, Table, load


class Deep(Table, frozen=True):
    """A table in a table."""

    depth: int = 1


class Store(Table, frozen=True):
    """A table."""

    name: str = "plain"
    ratio: Annotated[float, Meta(ge=0, le=0.5)] = 0.1
    devices: tuple[str, ...] = ("/a",)
    deep: Deep = Deep()

    def __post_init__(self) -> None:
        if self.name in self.devices:
            raise ValueError("name is one of devices; choose another name")


class Site(Table, frozen=True):
    """A repeated table."""

    id: str


class Schema(Table, frozen=True):
    """A file."""

    store: Store = Store()
    site: tuple[Site, ...] = ()


LOADS = """
import grp, os, sys  # where root's own Python runs this, nobody cannot load grp later
from pathlib import Path
from oca.common.settings import Table, load
if os.geteuid() == 0:
    os.setgroups([])
    os.setresgid(65534, 65534, 65534)
    os.setresuid(65534, 65534, 65534)
load(Table, None, environment={}, prefix="OCA", installed=Path(sys.argv[1]))
"""
Load = Callable[..., Schema]


@pytest.fixture
def load_text(tmp_path: Path) -> Load:
    def load_it(text: str = "", **options: Any) -> Schema:
        path = tmp_path / "x.toml"
        path.write_text(text)
        return load(Schema, path, **{"environment": {}, "prefix": "OCA", **options})

    return load_it


def test_settings_load_defaults_without_file() -> None:
    assert load(Schema, None, environment={}, prefix="OCA") == Schema()


def test_settings_go_by_installed_file_where_none_is_named(tmp_path: Path) -> None:
    installed, named = tmp_path / "installed.toml", tmp_path / "named.toml"
    assert load(Schema, None, environment={}, prefix="OCA", installed=installed) == Schema()
    installed.write_text('[store]\nname = "installed"\n')
    named.write_text('[store]\nname = "named"\n')
    assert load(Schema, None, environment={}, prefix="OCA", installed=installed).store.name == "installed"
    assert load(Schema, named, environment={}, prefix="OCA", installed=installed).store.name == "named"


def test_settings_that_this_user_may_not_see_are_told_of() -> None:
    """For real: as nobody, where the tests run as root."""
    with tempfile.TemporaryDirectory() as made:
        Path(made).chmod(0o755)
        installed = Path(made, "etc/installed.toml")
        installed.parent.mkdir()
        installed.write_text("")
        if os.geteuid() == 0:
            os.chown(installed.parent, 0, grp.getgrnam("daemon").gr_gid)
        group = installed.parent.group()
        installed.parent.chmod(0o050)
        try:
            done = subprocess.run(
                [sys.executable, "-c", LOADS, str(installed)], capture_output=True, text=True, check=False, timeout=60
            )
        finally:
            installed.parent.chmod(0o755)
    told = f"ConfigError: {installed}: cannot be read: Permission denied; use sudo, or join the group {group}\n"
    assert told in done.stderr, done.stderr


def test_settings_of_nobody_elses_group_are_read_by_sudo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    (tmp_path / "own.toml").touch(mode=0o600)
    monkeypatch.setattr(Path, "open", refuses)
    with pytest.raises(ConfigError, match=r"own\.toml: cannot be read: Permission denied; use sudo$"):
        load(Schema, tmp_path / "own.toml", environment={}, prefix="OCA")


def test_settings_rank_file_below_environment_below_flags(load_text: Load) -> None:
    text = '[store]\nname = "file"\nratio = 0.2\ndevices = ["/file"]\n'
    environment = {"OCA_STORE__NAME": "environment", "OCA_STORE__RATIO": "0.3"}
    loaded = load_text(text, environment=environment, sets=["store.name=flag"])
    assert loaded.store == Store(name="flag", ratio=0.3, devices=("/file",))


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("store.name=plain text", Store(name="plain text")),
        ("store.name=3", Store(name="3")),
        ("store.name=a=b", Store(name="a=b")),
        ('store.devices=["/x", "/y"]', Store(devices=("/x", "/y"))),
        ("store.devices=/x, /y", Store(devices=("/x", "/y"))),
        (" store.ratio = 0.25 ", Store(ratio=0.25)),
        ("store.deep.depth=7", Store(deep=Deep(depth=7))),
    ],
)
def test_settings_read_flag_by_type_of_key(load_text: Load, entry: str, expected: Store) -> None:
    assert load_text(sets=[entry]).store == expected


def test_settings_read_nested_table_from_environment(load_text: Load) -> None:
    assert load_text(environment={"OCA_STORE__DEEP__DEPTH": "5"}).store.deep.depth == 5


def test_settings_ignore_environment_that_is_no_setting(load_text: Load) -> None:
    assert load_text(environment={"OCA_DEBUG": "1", "OCAFILL_STORE__NAME": "x", "OTHER": "y"}) == Schema()


@pytest.mark.parametrize("entry", ["store.name", "name=3", "=3", ".name=3", "store.=3", ""])
def test_settings_refuse_flag_of_other_form(load_text: Load, entry: str) -> None:
    with pytest.raises(ConfigError, match=r"not of the form table\.key=value"):
        load_text(sets=[entry])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sets": ["store.ratio=2"]}, "--set store.ratio=2: store.ratio = 2: must be a number, 0 to 0.5"),
        (
            {"environment": {"OCA_STORE__RATIO": "high"}},
            'the environment variable OCA_STORE__RATIO: store.ratio = "high"',
        ),
        ({"sets": ["store.nmae=x"]}, "--set store.nmae=x: unknown key store.nmae; did you mean name?"),
        ({"sets": ["shop.name=x"]}, "unknown table shop"),
        (
            {"sets": ["store.name=/a"], "environment": {"OCA_STORE__DEVICES": "/a, /b", "OCA_STORE__RATIO": "0"}},
            "the environment variable OCA_STORE__DEVICES, --set store.name=/a: [store]: name is one of devices; choose",
        ),
        (
            {"text": '[store]\nname = "/a"', "sets": ["store.ratio=0"]},
            "x.toml: [store]: name is one of devices; choose",
        ),
        ({"sets": ["site.id=x"]}, "--set site.id=x: site is not a single table"),
        ({"sets": ["store.name.x=1"], "text": '[store]\nname = "x"'}, "store.name is not a single table"),
    ],
)
def test_settings_name_source_of_fault(load_text: Load, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_text(**options)
    assert message in str(caught.value)


def test_settings_name_file_of_fault(load_text: Load, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_text("[store]\nratio = 0.9\n")
    assert str(caught.value).startswith(f"{tmp_path}/x.toml: store.ratio = 0.9: must be a number, 0 to 0.5")


def test_settings_leave_out_tables_of_others_when_told(load_text: Load) -> None:
    text = '[store]\nname = "x"\n[delivery]\nworkers = 2\n'
    environment = {"OCA_DELIVERY__WORKERS": "3"}
    loaded = load_text(text, environment=environment, sets=["delivery.workers=4"], only_known_tables=True)
    assert loaded.store.name == "x"
    with pytest.raises(ConfigError, match="unknown table delivery"):
        load_text(text)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"[store", "not TOML"),
        (b"name = \xff", "not UTF-8 at byte 7"),
        (b"#" * (FILE_BYTES_MAX + 1), "larger than"),
    ],
)
def test_settings_refuse_damaged_file(tmp_path: Path, raw: bytes, message: str) -> None:
    path = tmp_path / "x.toml"
    path.write_bytes(raw)
    with pytest.raises(ConfigError, match=message):
        load(Schema, path, environment={}, prefix="OCA")


def test_settings_refuse_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file") as caught:
        load(Schema, tmp_path / "none.toml", environment={}, prefix="OCA")
    assert caught.value.remedy
