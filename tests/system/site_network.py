"""A site's network: hosts in network namespaces of their own on one switch, and the bytes that each has sent."""

from __future__ import annotations

import ctypes
import json
import os
import socket
import threading
from collections.abc import Sequence
from pathlib import Path

from tests.system.isp import run

_CLONE_NEWNET = 0x40000000
NETWORK = "10.73.0."


class SiteNetwork:
    """Hosts by name; the first has the address ``NETWORK`` 1. As root only."""

    def __init__(self, hosts: Sequence[str]) -> None:
        self.addresses = {host: f"{NETWORK}{number}" for number, host in enumerate(hosts, start=1)}
        self._mark = f"oca-{os.getpid()}-site"
        self._made: list[str] = []

    def start(self) -> None:
        """Lay the cables."""
        self._make(self._mark)
        run("ip", "-n", self._mark, "link", "add", "switch", "type", "bridge")
        run("ip", "-n", self._mark, "link", "set", "switch", "up")
        for number, (host, address) in enumerate(self.addresses.items(), start=1):
            own = self._name(host)
            self._make(own)
            run("ip", "link", "add", f"to{number}", "netns", self._mark, "type", "veth", "peer", "eth0", "netns", own)
            run("ip", "-n", self._mark, "link", "set", f"to{number}", "master", "switch", "up")
            run("ip", "-n", own, "addr", "add", f"{address}/24", "dev", "eth0")
            for link in ("lo", "eth0"):
                run("ip", "-n", own, "link", "set", link, "up")

    def stop(self) -> None:
        """Take it all away."""
        for name in reversed(self._made):
            run("ip", "netns", "del", name)

    def within(self, host: str) -> list[str]:
        """What runs a command on that host."""
        return ["ip", "netns", "exec", self._name(host)]

    def socket(self, host: str, family: int = socket.AF_INET, kind: int = socket.SOCK_STREAM) -> socket.socket:
        """A socket of that host, for this process."""
        made: list[socket.socket] = []

        def make() -> None:  # a thread alone moves there, and ends there
            with Path(f"/run/netns/{self._name(host)}").open("rb") as namespace:
                if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), _CLONE_NEWNET) != 0:
                    raise OSError(ctypes.get_errno(), "cannot enter the namespace")
            made.append(socket.socket(family, kind))

        thread = threading.Thread(target=make)
        thread.start()
        thread.join()
        return made[0]

    def sent_bytes(self, host: str) -> int:
        """What the host has sent over its link so far, headers and all."""
        (link,) = json.loads(run("ip", "-n", self._name(host), "-s", "-j", "link", "show", "dev", "eth0"))
        return int(link["stats64"]["tx"]["bytes"])

    def _name(self, host: str) -> str:
        return f"{self._mark}-{host}"

    def _make(self, name: str) -> None:
        run("ip", "netns", "add", name)
        self._made.append(name)
