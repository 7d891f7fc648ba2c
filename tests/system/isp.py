"""An ISP's router and the BIRD daemons of appliances, real ones, each in a network namespace of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from demo.process import Process, becomes_true
from tests.waiting import WAIT_S

ISP_AS, BOX_AS = 64500, 64512
_SESSION = """protocol bgp {name} {{
  local {own} as {own_as};
  neighbor {peer} as {peer_as};
  connect delay time 1; connect retry time 1; error wait time 1, 2;
  {channels}
}}
"""


def run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=30).stdout


class Isp:
    """A router with a session to each site; ``announced`` maps site → prefix → how often its AS is prepended."""

    def __init__(self, folder: Path, sites: tuple[str, ...]) -> None:
        self.folder = folder
        self.sites = sites
        self.announced: dict[str, dict[str, int]] = {site: {} for site in sites}
        self._mark = f"oca-{os.getpid()}"
        self._birds: dict[str, Process] = {}

    def start(self) -> None:
        for place in ("isp", *self.sites):
            run("ip", "netns", "add", f"{self._mark}-{place}")
        for number, site in enumerate(self.sites, start=1):
            ours, theirs = f"{self._mark}-isp", f"{self._mark}-{site}"
            run("ip", "link", "add", f"to{number}", "netns", ours, "type", "veth", "peer", "isp", "netns", theirs)
            for host, (place, link) in enumerate(((ours, f"to{number}"), (theirs, "isp")), start=1):
                run("ip", "-n", place, "addr", "add", f"10.9.{number}.{host}/24", "dev", link)
                run("ip", "-n", place, "addr", "add", f"fd00:{number}::{host}/64", "dev", link, "nodad")
                run("ip", "-n", place, "link", "set", link, "up")
            self._write(site, self._box(number))
        self._write("isp", self._router())
        for place in ("isp", *self.sites):
            self.start_bird(place)

    def start_bird(self, place: str) -> None:
        bird = shutil.which("bird") or "/usr/sbin/bird"
        command = ["ip", "netns", "exec", f"{self._mark}-{place}", bird, "-f"]
        command += ["-c", str(self._config(place)), "-s", str(self.socket(place)), "-P", f"{self.folder}/{place}.pid"]
        self._birds[place] = Process(f"bird of {place}", command, self.folder / f"{place}.log")

    def kill_bird(self, place: str) -> None:
        self._birds.pop(place).kill()

    def stop(self) -> None:
        for place in list(self._birds):
            self.kill_bird(place)
        for place in ("isp", *self.sites):
            subprocess.run(["ip", "netns", "del", f"{self._mark}-{place}"], check=False, capture_output=True)

    def socket(self, place: str) -> Path:
        return self.folder / f"{place}.ctl"

    async def announce(self, changes: Mapping[str, Mapping[str, int]]) -> None:
        """From now on each site hears this."""
        for site, prefixes in changes.items():
            self.announced[site] = dict(prefixes)
        self._write("isp", self._router())
        assert await becomes_true(lambda: self.socket("isp").exists(), WAIT_S)
        birdc = shutil.which("birdc") or "/usr/sbin/birdc"
        said = run(birdc, "-s", str(self.socket("isp")), "configure")
        assert "Reconfigur" in said, said

    async def established(self, site: str) -> None:
        birdc = shutil.which("birdc") or "/usr/sbin/birdc"

        def is_up() -> bool:
            command = [birdc, "-s", str(self.socket(site)), "show", "protocols"]
            said = subprocess.run(command, check=False, capture_output=True, text=True, timeout=30).stdout
            return "Established" in said

        assert await becomes_true(is_up, WAIT_S), (self.folder / f"{site}.log").read_text()

    def _config(self, place: str) -> Path:
        return self.folder / f"{place}.conf"

    def _write(self, place: str, text: str) -> None:
        self._config(place).write_text(f"log stderr all;\nprotocol device {{}}\n{text}")

    def _box(self, number: int) -> str:
        channels = "ipv4 { import all; export none; }; ipv6 { import all; export none; };"
        session = _SESSION.format(
            name="isp",
            own=f"10.9.{number}.2",
            own_as=BOX_AS,
            peer=f"10.9.{number}.1",
            peer_as=ISP_AS,
            channels=channels,
        )
        return f"router id 10.9.{number}.2;\n{session}"

    def _router(self) -> str:
        every = sorted({prefix for prefixes in self.announced.values() for prefix in prefixes})
        text = "router id 10.9.0.1;\n"
        for family, sign in (("ipv4", "."), ("ipv6", ":")):
            routes = " ".join(f"route {prefix} blackhole;" for prefix in every if sign in prefix.partition("/")[0])
            text += f"protocol static static_{family} {{ {family}; {routes} }}\n"
        for number, site in enumerate(self.sites, start=1):
            text += f"filter to_{site} {{\n"
            for prefix, prepended in self.announced[site].items():
                prepends = f"bgp_path.prepend({ISP_AS}); " * prepended
                text += f"  if net = {prefix} then {{ {prepends}accept; }}\n"
            text += "  reject;\n}\n"
            channels = (
                f"ipv4 {{ import none; export filter to_{site}; }}; "
                f"ipv6 {{ import none; export filter to_{site}; next hop address fd00:{number}::1; }};"
            )
            text += _SESSION.format(
                name=site,
                own=f"10.9.{number}.1",
                own_as=ISP_AS,
                peer=f"10.9.{number}.2",
                peer_as=BOX_AS,
                channels=channels,
            )
        return text
