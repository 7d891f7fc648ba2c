"""Holds what viewers got from the box against what its nights filled, by the daemon's own counters."""

from __future__ import annotations

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from fill.http import read_body
from fill.night import with_served
from fill.state import FillState
from oca.common import clock
from oca.common.addresses import parse_listen

ANSWER_TIMEOUT_S = 5.0
METRICS_BYTES_MAX = 16 * 2**20
_SENT, _FILL = "oca_delivery_sent_bytes_total", "oca_delivery_fill_sent_bytes_total"


async def note_served(session: aiohttp.ClientSession, listen: str, state: FillState) -> None:
    """Take up what viewers got since the last look; nothing while the daemon is away.

    Raises:
        StoreError: The nights cannot be read or written.
    """
    counter = await _viewers_bytes(session, listen)
    if counter is None:
        return
    before = state.nights()
    after = with_served(before, counter, clock.now_ns())
    if after != before:
        state.keep(after)


async def _viewers_bytes(session: aiohttp.ClientSession, listen: str) -> int | None:
    """Bytes of bodies that viewers got since the daemon's start; None while it is away."""
    url = f"http://{parse_listen(listen, setting='admin.listen').reachable.authority}/metrics"
    timeout = aiohttp.ClientTimeout(total=ANSWER_TIMEOUT_S)
    try:
        async with session.get(url, timeout=timeout, allow_redirects=False) as response:
            body = await read_body(response, METRICS_BYTES_MAX) if response.status == 200 else None
        return viewers_bytes(body.decode()) if body is not None else None
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
        return None


def viewers_bytes(metrics: str) -> int | None:
    """What went to viewers, of what a daemon's metrics count; None where they do not count it."""
    wanted = "\n".join(line for line in metrics.splitlines() if line.startswith((_SENT, _FILL)))
    samples = [sample for family in text_string_to_metric_families(f"{wanted}\n") for sample in family.samples]
    totals = {name: sum(int(sample.value) for sample in samples if sample.name == name) for name in (_SENT, _FILL)}
    return totals[_SENT] - totals[_FILL] if any(sample.name == _SENT for sample in samples) else None
