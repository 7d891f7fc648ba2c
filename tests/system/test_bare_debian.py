"""The bare Debian of the package's test is never without a successor, nor taken from who uses it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.system import bare_debian

pytestmark = pytest.mark.system
MAKES = 'test -z "$BUILD" && mkdir -p "$0/etc/dpkg/dpkg.cfg.d" "$0/var/lib/apt/lists" && echo new > "$0/etc/new"'


@pytest.fixture
def old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One that was made more than a month ago."""
    monkeypatch.setattr(bare_debian, "CACHE", tmp_path)
    monkeypatch.setattr(bare_debian, "COMMAND", ("sh", "-c", MAKES))
    with bare_debian.bare() as made:
        (made / "etc/new").unlink()
        os.utime(made / "etc/made", (0, 0))
    return made


def test_bare_debian_is_made_anew_after_a_month(old: Path, tmp_path: Path) -> None:
    (tmp_path / "debian-of-another-release").mkdir()
    with bare_debian.bare() as made:
        assert made == old
        assert (made / "etc/new").exists()
        assert list(tmp_path.glob("debian-*")) == [made]


def test_bare_debian_stays_while_it_is_used(old: Path) -> None:
    with bare_debian.bare() as made:
        os.utime(made / "etc/made", (0, 0))
        (made / "etc/new").unlink()
        with bare_debian.bare() as again:
            assert again == made == old
            assert not (made / "etc/new").exists()


def test_bare_debian_stays_where_another_cannot_be_made(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUILD", "fails")
    with bare_debian.bare() as made:
        assert made == old
        assert not (made / "etc/new").exists()
