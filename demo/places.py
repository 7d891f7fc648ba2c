"""Who lives where in the demo: one origin, steering, three appliances at two sites, and their files.

Pure. All addresses are in one /24 of the loopback network, so a second demo can run beside the first in another.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from oca.common.errors import ConfigError

NETWORK = "127.0.0"
HOT_SHARE = 1.0
"""Whatever is watched lies on both boxes of a site: the demo takes one away."""
FILM_RATIO = 1.2
EVERYWHERE_RATIO = 0.05
"""Share of the library that every plan takes before it chooses among pictures: manifests, posters and sound."""


@dataclass(frozen=True, slots=True)
class Appliance:
    """One appliance: its name, the site it stands at, its addresses, and how much of the library fits into it."""

    id: str
    site: str
    delivery: str
    admin: str
    store_ratio: float

    def store_bytes(self, films_bytes: Sequence[int]) -> int:
        """The size of its store for films of these sizes: too small for many, never too small for the largest."""
        library = sum(films_bytes)
        roomy = FILM_RATIO * max(films_bytes, default=0) + EVERYWHERE_RATIO * library
        return int(max(self.store_ratio * library, roomy))


@dataclass(frozen=True, slots=True)
class Site:
    """A site as steering is told of it."""

    id: str
    name: str
    kind: str
    latitude: float
    longitude: float
    prefix: str


SITES = (
    Site("metro", "Metro Broadband", "embedded", 50.11, 8.68, "127.0.0.0/8"),
    Site("region", "Regional exchange", "regional", 52.37, 4.90, "203.0.113.0/24"),
)


Engine = Literal["lmdb", "nats"]
INSTANCES = 3
"""Of steering, and servers of NATS, where several share the state."""


@dataclass(frozen=True, slots=True)
class Instance:
    """An instance of steering."""

    name: str
    listen: str

    @property
    def url(self) -> str:
        return f"http://{self.listen}"


@dataclass(frozen=True, slots=True)
class Places:
    """Every address and folder of one demo."""

    network: str
    folder: Path
    engine: Engine = "lmdb"

    @property
    def run(self) -> Path:
        return self.folder / "run"

    @property
    def origin(self) -> str:
        return f"{self.network}.10:8070"

    @property
    def instances(self) -> tuple[Instance, ...]:
        """Of steering: one, or three that share their state."""
        if self.engine == "lmdb":
            return (Instance("steering", f"{self.network}.1:8090"),)
        return tuple(
            Instance(f"steering-{number}", f"{self.network}.{number}:8090") for number in range(1, INSTANCES + 1)
        )

    @property
    def nats(self) -> tuple[tuple[str, str], ...]:
        """Of each server of NATS, where it listens to instances, and to the other servers."""
        if self.engine == "lmdb":
            return ()
        hosts = range(31, 31 + INSTANCES)
        return tuple((f"{self.network}.{host}:4222", f"{self.network}.{host}:6222") for host in hosts)

    @property
    def steering_url(self) -> str:
        return self.instances[0].url

    @property
    def origin_url(self) -> str:
        return f"http://{self.origin}"

    @property
    def appliances(self) -> tuple[Appliance, ...]:
        def at(name: str, site: str, host: int, ratio: float) -> Appliance:
            return Appliance(name, site, f"{self.network}.{host}:8080", f"{self.network}.{host}:8088", ratio)

        # The stores are too small for the whole library on purpose: the plan has to choose.
        return (
            at("metro-a", "metro", 11, 0.6),
            at("metro-b", "metro", 12, 0.6),
            at("region-a", "region", 21, 0.8),
        )

    def addresses(self) -> Iterator[tuple[str, str]]:
        """Who listens on what."""
        yield "the origin", self.origin
        for instance in self.instances:
            yield instance.name, instance.listen
        for number, (client, cluster) in enumerate(self.nats, start=1):
            yield f"nats-{number}", client
            yield f"nats-{number} among its kind", cluster
        for appliance in self.appliances:
            yield appliance.id, appliance.delivery
            yield f"{appliance.id}'s admin API", appliance.admin


def parse_network(text: str) -> str:
    """``127.x.y`` as given on the command line.

    Raises:
        ConfigError: It is not three numbers of the loopback network.
    """
    if re.fullmatch(r"127(\.(25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)){2}", text) is None:
        raise ConfigError(f"--net {text}: not a part of the loopback network", remedy="write it like 127.0.7")
    return text
