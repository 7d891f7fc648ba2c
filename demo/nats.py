"""The NATS cluster of ``make demo ENGINE=nats``: three servers on this machine, as Debian packages them."""

from __future__ import annotations

import shutil

from demo.places import Places
from oca.common.errors import ConfigError

FOLDERS = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin"
"""Debian puts servers where a user's PATH may not look."""


def program() -> str:
    """The server's program.

    Raises:
        ConfigError: It is not installed.
    """
    found = shutil.which("nats-server") or shutil.which("nats-server", path=FOLDERS)
    if found is None:
        raise ConfigError(
            "ENGINE=nats needs nats-server, which is not installed",
            remedy="as root: apt-get install nats-server (scripts/debian.sh does it too); make demo needs none of it",
        )
    return found


def configuration(places: Places, number: int) -> str:
    """The settings file of the server of that number, from 0."""
    client, cluster = places.nats[number]
    routes = ", ".join(f'"nats://{other}"' for _, other in places.nats)
    return (
        f'server_name: "nats-{number + 1}"\nlisten: "{client}"\n'
        f'jetstream {{ store_dir: "{places.run / f"nats-{number + 1}" / "kept"}" }}\n'
        f'cluster {{ name: "oca-demo", listen: "{cluster}", routes: [{routes}] }}\n'
    )
