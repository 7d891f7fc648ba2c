from __future__ import annotations

import os
import pwd
import stat
from pathlib import Path

import pytest

from oca.turnup import devices

ME = pwd.getpwuid(os.getuid()).pw_name


def test_devices_tell_of_folder_that_is_not_there(tmp_path: Path) -> None:
    facts = devices.read_device(tmp_path / "nvme0", "oca", measure=False)
    assert str(tmp_path / "nvme0") in facts.fault
    assert facts.remedy.endswith(f"install -d -o oca -g oca {tmp_path}/nvme0")


def test_devices_are_measured_and_left_as_they_were(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "MEASURED_BYTES", 8 * 2**20)
    facts = devices.read_device(tmp_path, ME, measure=True)
    assert facts.writable
    assert facts.free_bytes > 0
    assert facts.read_bytes_per_s > 0
    assert facts.write_bytes_per_s > 0
    assert facts.file_system in {kind for _, kind, _ in devices.mounts()}
    assert not list(tmp_path.iterdir())


def test_devices_are_not_measured_when_nearly_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "MEASURED_BYTES", 2**60)
    assert devices.read_device(tmp_path, ME, measure=True).read_bytes_per_s == 0


def test_devices_tell_whether_owner_may_write(tmp_path: Path) -> None:
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    assert not devices.read_device(tmp_path, ME, measure=False).writable
    tmp_path.chmod(0o700)
    assert not devices.read_device(tmp_path, "nobody", measure=False).writable
    tmp_path.chmod(0o702)
    assert devices.read_device(tmp_path, "nobody", measure=False).writable
    assert devices.read_device(tmp_path, "no-such-user", measure=False).writable


def smartctl(folder: Path, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    program = folder / "smartctl"
    program.write_text(f"#!/bin/sh\necho '{said}'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


@pytest.mark.parametrize(
    ("said", "healthy"),
    [
        ('{"smart_status": {"passed": true}}', True),
        ('{"smart_status": {"passed": false}}', False),
        ("{}", None),
        ("?", None),
    ],
)
def test_devices_take_word_of_smart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, healthy: bool | None
) -> None:
    smartctl(tmp_path, said, monkeypatch)
    assert devices.health_of("/dev/sda")[0] is healthy


def test_devices_without_block_device_have_no_health() -> None:
    assert devices.health_of("") == (None, "no block device is below it")
