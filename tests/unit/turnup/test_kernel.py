from __future__ import annotations

import pytest

from oca.turnup.kernel import KERNEL, MODULES, is_met, modules_file, sysctl_file

BY_NAME = {setting.name: setting for setting in KERNEL}


@pytest.mark.parametrize(
    ("name", "found", "met"),
    [
        ("net.core.somaxconn", "4096", True),
        ("net.core.somaxconn", "128", False),
        ("net.core.somaxconn", "", False),
        ("net.core.somaxconn", "many", False),
        ("net.ipv4.tcp_wmem", "4096\t16384\t33554432", True),
        ("net.ipv4.tcp_wmem", "4096\t16384\t4194304", False),
        ("net.ipv4.tcp_slow_start_after_idle", "0", True),
        ("net.ipv4.tcp_slow_start_after_idle", "1", False),
        ("net.ipv4.tcp_allowed_congestion_control", "reno cubic", False),
        ("net.ipv4.tcp_allowed_congestion_control", "bbr cubic reno dctcp", True),
        ("net.core.default_qdisc", "fq", True),
        ("net.core.default_qdisc", "fq_codel", False),
    ],
)
def test_kernel_judges_what_is_found(name: str, found: str, met: bool) -> None:
    assert is_met(BY_NAME[name], found) is met


def test_kernel_meets_its_own_file() -> None:
    lines = [line for line in sysctl_file().splitlines() if not line.startswith("#")]
    written = dict(line.removeprefix("-").split(" = ") for line in lines)
    assert set(written) == set(BY_NAME)
    assert all(is_met(BY_NAME[name], value) for name, value in written.items())


def test_kernel_names_modules_and_paths() -> None:
    assert [line for line in modules_file().splitlines() if not line.startswith("#")] == list(MODULES)
    assert BY_NAME["net.ipv4.tcp_wmem"].path == "/proc/sys/net/ipv4/tcp_wmem"
