"""What is good enough for serving viewers: facts in, findings with the command that mends them out. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from oca.common.units import format_bytes, format_duration, format_rate
from oca.network.addressing import Link
from oca.network.bird_output import Session
from oca.turnup.finding import Finding
from oca.turnup.kernel import KERNEL, MODULES, is_met

GOOD_FILE_SYSTEMS = ("ext4", "xfs")
ALIGNED_BYTES = 2**20
MTU_MIN = 1500
CERTIFICATE_DAYS_MIN = 14
SPARE_DESCRIPTORS = 4096
"""Packs, sockets and logs that a worker holds open beside its connections."""


class DeviceFacts(Struct, frozen=True, kw_only=True):
    """A folder of the store and the device below it; rates are bytes per second, 0 where not measured.

    ``healthy`` is SMART's word, None where nobody could ask, ``health_why`` then says why.
    """

    path: str
    fault: str = ""
    remedy: str = ""
    writable: bool = True
    on_root: bool = False
    file_system: str = ""
    block: str = ""
    start_bytes: int = 0
    free_bytes: int = 0
    read_bytes_per_s: float = 0
    write_bytes_per_s: float = 0
    healthy: bool | None = None
    health_why: str = ""


def judge_device(facts: DeviceFacts, owner: str) -> Iterator[Finding]:
    """One device of the store; ``owner`` is the user that the daemon runs as."""
    name = f"device {facts.path}"
    if facts.fault:
        yield Finding(name=name, state="fail", why=facts.fault, mend=facts.remedy)
        return
    if not facts.writable:
        mend = f"chown -R {owner}: {facts.path}"
        yield Finding(name=name, state="fail", why=f"the user {owner} may not write there", mend=mend)
    kind = facts.file_system or "an unknown file system"
    if facts.on_root:
        why = f"{kind}, on the file system of /: its load and its failure are the system's, too"
        yield Finding(name=name, state="warn", why=why, mend=f"mount a device of its own at {facts.path}")
    elif facts.file_system not in GOOD_FILE_SYSTEMS:
        mend = f"mkfs.xfs {facts.block or 'DEVICE'}, after its assets may go; the next fill brings them back"
        yield Finding(name=name, state="warn", why=f"{kind} was never tried with a store; ext4 and xfs were", mend=mend)
    else:
        speed = f", reads {format_rate(facts.read_bytes_per_s)}" if facts.read_bytes_per_s else ""
        speed += f", writes {format_rate(facts.write_bytes_per_s)}" if facts.write_bytes_per_s else ""
        why = f"{facts.block or 'device'} with {kind}, {format_bytes(facts.free_bytes)} free{speed}"
        yield Finding(name=name, state="pass", why=why)
    if facts.start_bytes % ALIGNED_BYTES:
        why = f"{facts.block} begins at byte {facts.start_bytes}, not at a whole MiB: each write may cost two"
        yield Finding(
            name=f"{name} alignment", state="warn", why=why, mend="make the partition anew with parted -a optimal"
        )
    yield _health(facts, name)


def _health(facts: DeviceFacts, name: str) -> Finding:
    name = f"{name} health"
    if facts.healthy is None:
        mend = "apt-get install smartmontools" if "smartctl" in facts.health_why else ""
        return Finding(name=name, state="warn", why=f"not known: {facts.health_why}", mend=mend)
    if facts.healthy:
        return Finding(name=name, state="pass", why="SMART has no complaint")
    mend = f"replace it: smartctl -a {facts.block} says more; only its assets are lost"
    return Finding(name=name, state="fail", why="SMART says that the device is failing", mend=mend)


def judge_devices_together(devices: Sequence[DeviceFacts], links: Sequence[Link]) -> Iterator[Finding]:
    """Whether what is read cold can fill the links; nothing where either is not known."""
    reads, line = sum(device.read_bytes_per_s for device in devices), sum(link.speed_bytes_per_s for link in links)
    if not reads or not line:
        return
    why = f"all devices read {format_rate(reads)}, the links carry {format_rate(line)}"
    if reads >= line:
        yield Finding(name="devices together", state="pass", why=why)
    else:
        mend = "add devices or memory: only what is in memory can be sent faster"
        yield Finding(name="devices together", state="warn", why=why, mend=mend)


def judge_link(link: Link, mtu: int) -> Finding:
    """One link that carries a delivery address."""
    name = f"link {link.name}"
    if link.fault:
        return Finding(name=name, state="fail", why=link.fault.partition(";")[0], mend=link.fault.rpartition("; ")[2])
    if link.loopback:
        mend = "set [delivery] listen to an address of a network link, or 0.0.0.0 and its port"
        return Finding(name=name, state="warn", why="loopback: no viewer reaches it", mend=mend)
    if mtu < MTU_MIN:
        mend = f"ip link set {link.name} mtu 1500"
        return Finding(name=name, state="warn", why=f"MTU {mtu}: more packets for the same bytes", mend=mend)
    if not link.speed_bytes_per_s:
        return Finding(
            name=name, state="warn", why=f"tells no speed (virtual?), MTU {mtu}", mend=f"ethtool {link.name}"
        )
    return Finding(name=name, state="pass", why=f"{format_rate(link.speed_bytes_per_s)}, MTU {mtu}")


def judge_missing_address(host: str) -> Finding:
    """An address to listen on that no link has."""
    mend = f"ip address add {host}/… dev …, or correct [delivery] listen"
    return Finding(name=f"address {host}", state="fail", why="no link has it", mend=mend)


def judge_sessions(sessions: Sequence[Session]) -> Iterator[Finding]:
    """The BGP sessions of BIRD."""
    if not sessions:
        mend = "add a protocol bgp to /etc/bird/bird.conf, then: birdc configure"
        yield Finding(name="BGP", state="fail", why="BIRD has no BGP session", mend=mend)
    for session in sessions:
        name, peer = f"BGP {session.name}", f"AS{session.neighbour_as}"
        if not session.established:
            mend = f"birdc show protocols all {session.name}; is the ISP's side up, and port 179 open?"
            yield Finding(name=name, state="fail", why=f"{session.state} with {peer}", mend=mend)
        else:
            yield Finding(name=name, state="pass", why=f"established with {peer}")


def judge_routes(routes: int, wrong: Sequence[tuple[str, int]]) -> Iterator[Finding]:
    """What the daemon hears over those sessions; ``wrong`` says what its audit found, and in how many prefixes."""
    if not routes:
        mend = "have the ISP announce its viewers' prefixes to this box; birdc show route"
        yield Finding(name="prefixes", state="warn", why="none is heard", mend=mend)
    else:
        yield Finding(name="prefixes", state="pass", why=f"{routes} heard")
    for why, prefixes in wrong:
        yield Finding(name="prefixes", state="warn", why=f"{prefixes}: {why}", mend="oca routes audit")


def judge_kernel(found: Mapping[str, str | None], loaded: Mapping[str, bool]) -> Iterator[Finding]:
    """Settings by name (None: the kernel has none such) and whether each module is there."""
    for setting in KERNEL:
        value = found.get(setting.name)
        if value is None:
            yield Finding(name=setting.name, state="warn", why="this kernel has no such setting")
        elif is_met(setting, value):
            yield Finding(name=setting.name, state="pass", why=" ".join(value.split()))
        else:
            wanted = f"{' '.join(value.split()) or 'empty'}, wanted {setting.value}: {setting.why}"
            mend = f"sysctl -w {setting.name}='{setting.value}', and for good in a file of /etc/sysctl.d"
            yield Finding(name=setting.name, state="warn", why=wanted, mend=mend)
    for module, why in MODULES.items():
        if loaded.get(module):
            yield Finding(name=f"module {module}", state="pass", why="there")
        else:
            yield Finding(name=f"module {module}", state="warn", why=f"not there: {why}", mend=f"modprobe {module}")


def judge_descriptors(limit: int, connections_max: int) -> Finding:
    """The hard limit of open files of a worker, or of whoever asks, against what a worker may need."""
    wanted = connections_max + SPARE_DESCRIPTORS
    why = f"{limit} open files, a worker may need {wanted}"
    if limit >= wanted:
        return Finding(name="file limit", state="pass", why=why)
    mend = f"LimitNOFILE={wanted} in oca.service, or for a shell: ulimit -Hn {wanted}"
    return Finding(name="file limit", state="warn", why=f"{why}; it takes fewer connections", mend=mend)


def judge_clock(synchronised: bool | None) -> Finding:
    """Whether the kernel says that its clock is kept; tokens, certificates and the fill window need it."""
    if synchronised is None:
        return Finding(name="clock", state="warn", why="the kernel does not say whether its clock is kept")
    if synchronised:
        return Finding(name="clock", state="pass", why="kept by a time service")
    mend = "apt-get install chrony, then wait for: chronyc waitsync 30"
    return Finding(
        name="clock", state="fail", why="not kept: tokens and certificates would be judged wrongly", mend=mend
    )


def judge_certificate(file: str, left_s: float) -> Finding:
    """A certificate by the time that it is still good."""
    name = f"certificate {file}"
    if left_s <= 0:
        mend = "renew it, then: oca reload"
        return Finding(name=name, state="fail", why=f"ended {format_duration(-left_s)} ago", mend=mend)
    soon = left_s < CERTIFICATE_DAYS_MIN * 86400
    mend = "renew it, then: oca reload" if soon else ""
    return Finding(name=name, state="warn" if soon else "pass", why=f"good for {format_duration(left_s)}", mend=mend)


def judge_throughput(rate_bytes_per_s: float, cores: int, links: Sequence[Link]) -> Finding:
    """What one core sends over loopback, from memory to memory, against the links' rate."""
    line = sum(link.speed_bytes_per_s for link in links)
    each = f"one core sends {format_rate(rate_bytes_per_s)} over loopback"
    if not line:
        return Finding(name="throughput", state="pass", why=f"{each}; no link tells a speed to compare with")
    able = rate_bytes_per_s * max(1, cores)
    why = f"{each}, {cores} of them at most {format_rate(able)}; the links carry {format_rate(line)}"
    if able >= line:
        return Finding(name="throughput", state="pass", why=why)
    return Finding(name="throughput", state="warn", why=why, mend="add cores, or expect less than line rate")
