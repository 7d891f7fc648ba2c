"""A full table on both sides: read from BIRD's words on the box, taken in by steering; CPU seconds of each."""

from __future__ import annotations

import random
import time
from typing import Any

import msgspec

from benchmarks.steering.world import World, bird_reply
from oca.common.routes import RouteAnswer, RouteBatch
from oca.network.bird_output import RouteReply, RouteTable
from oca.report.routes import RouteLedger, changes_between
from steering.cycles import Cycles
from steering.routes.reach import Reach
from steering.settings import RoutesTable, Site, SiteAppliance

CHUNK = 2**18


def absorb(scale: float) -> dict[str, Any]:
    """Read, tell and take a full table, then the same table again whole, as after a lost batch."""
    world = World(scale)
    texts = world.prefixes()
    replies = [bird_reply([text for text in texts if (":" in text) is six], random.Random(3)) for six in (False, True)]
    began = time.process_time()
    table: RouteTable = {}
    for reply in replies:
        read = RouteReply({}, routes_max=2_000_000)
        for start in range(0, len(reply), CHUNK):
            read.feed(reply[start : start + CHUNK])
        table |= read.table
    read_s = time.process_time() - began
    ledger = RouteLedger("e" * 32)
    ledger.take(table, changes_between({}, table))
    Cycles().begin()  # as the service does
    reach = Reach([Site(id="s", appliance=(SiteAppliance(id="s-a"),))], RoutesTable())
    told_s, taken_s, slices = _tell(ledger, reach)
    ledger.restart()
    again = _tell(ledger, reach)
    return {
        "routes": len(table),
        "reply_bytes": sum(map(len, replies)),
        "read_cpu_s": read_s,
        "tell_cpu_s": told_s,
        "take_cpu_s": taken_s,
        "take_again_cpu_s": again[1],
        "slice_cpu_s_max": slices,
    }


def _tell(ledger: RouteLedger, reach: Reach) -> tuple[float, float, float]:
    encode, decoder = msgspec.json.Encoder().encode, msgspec.json.Decoder(RouteBatch)
    told_s = taken_s = slice_s = 0.0
    while True:
        began = time.process_time()
        batch = ledger.batch()
        if batch is None:
            return told_s, taken_s, slice_s
        body = encode(batch)
        middle = time.process_time()
        last = middle
        for fault in reach.take("s-a", decoder.decode(body)):
            assert not fault, fault
            now = time.process_time()
            slice_s, last = max(slice_s, now - last), now
        encode(RouteAnswer(digest=reach.heard["s-a"].digest_hex, full_wanted=False))
        end = time.process_time()
        ledger.acknowledge(batch)
        told_s += middle - began + time.process_time() - end
        taken_s += end - middle
