"""What delivery wants of the kernel, declared once: for ``oca check`` and for the package's sysctl file. Pure."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct


class KernelSetting(Struct, frozen=True):
    """One sysctl: ``is`` must be ``value``, ``least`` at least its last number, ``holds`` all of its words."""

    name: str
    value: str
    rule: Literal["is", "least", "holds"]
    why: str

    @property
    def path(self) -> str:
        """Where the kernel shows it."""
        return f"/proc/sys/{self.name.replace('.', '/')}"


KERNEL = (
    KernelSetting("net.core.somaxconn", "4096", "least", "viewers that connect at once wait in a queue of this length"),
    KernelSetting("net.ipv4.tcp_max_syn_backlog", "8192", "least", "connections half open, of a flood or a premiere"),
    KernelSetting(
        "net.ipv4.tcp_slow_start_after_idle", "0", "is", "players pause between segments; each would start slowly anew"
    ),
    KernelSetting(
        "net.ipv4.tcp_wmem", "4096 16384 16777216", "least", "a far viewer's window is no larger than the send buffer"
    ),
    KernelSetting("net.ipv4.tcp_mtu_probing", "1", "least", "tunnels that swallow ICMP stall large packets for good"),
    KernelSetting(
        "net.ipv4.tcp_allowed_congestion_control",
        "reno cubic bbr",
        "holds",
        'a service without rights may choose only these; [delivery.pacing] congestion = "bbr" needs its module, too',
    ),
    KernelSetting("net.core.default_qdisc", "fq", "is", "the link's queue keeps paces, not timers"),
)
MODULES = {
    "tcp_bbr": 'for [delivery.pacing] congestion = "bbr"',
    "sch_fq": "keeps paces",
    "tls": "bodies of HTTPS leave by sendfile, encrypted by the kernel",
}


def is_met(setting: KernelSetting, found: str) -> bool:
    """Whether what the kernel shows will do."""
    if setting.rule == "holds":
        return set(setting.value.split()) <= set(found.split())
    last = found.rsplit(maxsplit=1)[-1] if found.split() else ""
    if setting.rule == "least":
        return last.isdigit() and int(last) >= int(setting.value.split()[-1])
    return last == setting.value


def sysctl_file() -> str:
    """For ``/usr/lib/sysctl.d``: what the delivery path wants, each with why; ``-``: a kernel may lack it."""
    lines = ["# What delivery wants of the kernel. To change one: the same line in a later file of /etc/sysctl.d."]
    for setting in KERNEL:
        lines += [f"# {setting.why}", f"-{setting.name} = {setting.value}"]
    return "\n".join(lines) + "\n"


def modules_file() -> str:
    """For ``/usr/lib/modules-load.d``."""
    lines = ["# Modules of the kernel that the delivery path uses where they are there."]
    for name, why in MODULES.items():
        lines += [f"# {why}", name]
    return "\n".join(lines) + "\n"
