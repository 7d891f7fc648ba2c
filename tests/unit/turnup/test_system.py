from __future__ import annotations

import os
import resource
from pathlib import Path

import pytest

from oca.turnup import system
from oca.turnup.kernel import KERNEL, MODULES


def test_system_reads_kernel_settings_as_they_are() -> None:
    found = system.read_kernel()
    assert set(found) == {setting.name for setting in KERNEL}
    assert found["net.core.somaxconn"] == Path("/proc/sys/net/core/somaxconn").read_text()


def test_system_knows_which_modules_are_there() -> None:
    found = system.read_modules()
    assert set(found) == set(MODULES)
    schemes = Path("/proc/sys/net/ipv4/tcp_available_congestion_control").read_text().split()
    assert found["tcp_bbr"] == ("bbr" in schemes or Path("/sys/module/tcp_bbr").exists())


def test_system_reads_file_limit_of_process() -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    assert system.read_descriptors(0) == system.read_descriptors(os.getpid()) == hard
    assert system.read_descriptors(2**22 + 1) == hard


def test_system_reads_mtu_of_link() -> None:
    assert system.read_mtu("lo") == int(Path("/sys/class/net/lo/mtu").read_text())
    assert system.read_mtu("no-such-link") == 0


def test_system_asks_kernel_about_its_clock() -> None:
    assert system.clock_is_kept() in (True, False)


def test_system_measures_sending(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system, "SENT_S", 0.01)
    monkeypatch.setattr(system, "SENT_BYTES", 2**20)
    assert system.sending_rate() > 0
