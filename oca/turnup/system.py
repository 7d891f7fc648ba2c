"""Reads what the machine is like: kernel settings and modules, the file limit, the clock, how fast it can send."""

from __future__ import annotations

import ctypes
import os
import resource
import socket
import threading
from pathlib import Path

from oca.common.clock import monotonic_s
from oca.turnup.kernel import KERNEL, MODULES

SENT_BYTES = 64 * 2**20
SENT_S = 1.0
_TIME_ERROR = 5
_TIMEX_BYTES = 256


def read_kernel() -> dict[str, str | None]:
    """The value of each kernel setting that delivery wants something of; None where there is none."""
    return {setting.name: _text(Path(setting.path)) for setting in KERNEL}


def read_modules() -> dict[str, bool]:
    """Whether each module is in the kernel: loaded, or built in."""
    built_in = _text(Path(f"/lib/modules/{os.uname().release}/modules.builtin")) or ""
    named = {line.rpartition("/")[2].removesuffix(".ko") for line in built_in.split()}
    schemes = (_text(Path("/proc/sys/net/ipv4/tcp_available_congestion_control")) or "").split()
    return {
        name: Path("/sys/module", name).exists() or name in named or name.removeprefix("tcp_") in schemes
        for name in MODULES
    }


def read_descriptors(pid: int) -> int:
    """The hard limit of open files of a process; of this one where ``pid`` is 0 or may not be asked about."""
    try:
        hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)[1]
    except OSError:
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return hard if hard != resource.RLIM_INFINITY else 2**31 - 1


def read_mtu(link: str) -> int:
    """Of a link; 0 where the kernel does not say."""
    text = _text(Path("/sys/class/net", link, "mtu")) or ""
    return int(text) if text.strip().isdigit() else 0


def clock_is_kept() -> bool | None:
    """Whether a time service keeps the clock, as adjtimex(2) has it; None where the kernel does not answer."""
    nothing = ctypes.create_string_buffer(_TIMEX_BYTES)  # modes = 0: read, change nothing
    state = ctypes.CDLL(None, use_errno=True).adjtimex(nothing)
    return None if state < 0 else state != _TIME_ERROR


def sending_rate() -> float:
    """Bytes per second that one core sends by sendfile, from memory over loopback, to one that throws them away."""
    descriptor = os.memfd_create("oca-check", os.MFD_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file, socket.create_server(("127.0.0.1", 0)) as server:
        os.ftruncate(descriptor, SENT_BYTES)
        with socket.create_connection(server.getsockname()) as sender:
            taker, _ = server.accept()
            throwing = threading.Thread(target=_throw_away, args=(taker,), daemon=True)
            throwing.start()
            began, sent = monotonic_s(), 0
            while monotonic_s() - began < SENT_S:
                sent += sender.sendfile(file, 0)
            took_s = monotonic_s() - began
        throwing.join()
    return sent / took_s


def _throw_away(taker: socket.socket) -> None:
    room = bytearray(2**20)
    with taker:
        while taker.recv_into(room, 0, socket.MSG_TRUNC):  # the kernel drops it, and copies nothing
            pass


def _text(path: Path) -> str | None:
    try:
        return path.read_text()
    except OSError:
        return None
