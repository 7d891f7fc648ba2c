"""Goes through all that serving viewers takes, one check after the other; what is good enough, ``judge`` says."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from oca.common.box import Box
from oca.common.errors import OcaError
from oca.network.addressing import Link, links_of
from oca.network.bird import Bird
from oca.network.links import read_links
from oca.network.route_settings import RoutesTable
from oca.turnup import judge, system
from oca.turnup.devices import read_device
from oca.turnup.finding import Finding
from oca.turnup.remote import check_daemon, check_origin, check_prefixes, check_steering


class Wanted(NamedTuple):
    """What of the settings the checks need; ``owner`` is the daemon's user, ``certificates`` have seconds left."""

    box: Box
    hosts: Sequence[str]
    connections_max: int
    workers: int
    admin: str
    origin_url: str
    certificates: Sequence[tuple[str, float]]
    owner: str
    measure: bool
    routes: RoutesTable


def run_checks(wanted: Wanted) -> Iterator[Finding]:
    """Every check daemon, machine, devices, network, those it depends on."""
    daemon, worker = check_daemon(wanted.admin)
    yield daemon
    yield judge.judge_clock(system.clock_is_kept())
    yield judge.judge_descriptors(system.read_descriptors(worker), wanted.connections_max)
    yield from judge.judge_kernel(system.read_kernel(), system.read_modules())
    devices = [read_device(Path(one), wanted.owner, measure=wanted.measure) for one in wanted.box.store.devices]
    for device in devices:
        yield from judge.judge_device(device, wanted.owner)
    links: list[Link] = []
    try:
        links, missing = links_of(wanted.hosts, read_links())
        yield from (judge.judge_link(link, system.read_mtu(link.name)) for link in links)
        yield from map(judge.judge_missing_address, missing)
    except OcaError as error:
        yield Finding(name="links", state="fail", why=error.message, mend=error.remedy)
    yield from judge.judge_devices_together(devices, links)
    yield from _bgp(wanted.routes, wanted.admin)
    if wanted.measure:
        cores = wanted.workers or len(os.sched_getaffinity(0))
        yield judge.judge_throughput(system.sending_rate(), cores, links)
    yield from (judge.judge_certificate(file, left_s) for file, left_s in wanted.certificates)
    yield check_steering(wanted.box)
    if wanted.origin_url:
        yield check_origin(wanted.origin_url)


def _bgp(routes: RoutesTable, admin: str) -> Iterator[Finding]:
    if not routes.bird_socket:
        return
    try:
        bird = Bird(routes.bird_socket, routes.tables, routes_max=routes.routes_max)
        yield from judge.judge_sessions(bird.sessions())
    except OcaError as error:
        yield Finding(name="BGP", state="fail", why=error.message, mend=error.remedy)
    yield from check_prefixes(admin)
