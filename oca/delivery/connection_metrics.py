"""What is counted of connections: taken, refused, ended for others. Part of ``delivery.metrics``."""

from __future__ import annotations

from oca.common.metrics import Family

CONNECTIONS: tuple[Family, ...] = (
    Family(
        name="delivery_connections_accepted",
        kind="counter",
        unit="connections",
        help="Connections taken from viewers and peers.",
    ),
    Family(name="delivery_connections", kind="gauge", unit="connections", help="Connections open now."),
    Family(
        name="delivery_memory_blocks",
        kind="gauge",
        unit="blocks",
        help="Pieces of memory that the workers have in use, some 100 bytes each. They go with the connections; what "
        "is free again a process keeps for the next, and its size stays. If these rise day by day, memory leaks.",
    ),
    Family(
        name="delivery_connections_refused",
        kind="counter",
        unit="connections",
        help="Connections reset at once, by what ran out: connections (delivery.connections_max), client "
        "(delivery.connections_per_client_max), descriptors (LimitNOFILE), memory (the kernel's, see the log).",
        label="limit",
        values=("connections", "client", "descriptors", "memory"),
    ),
    Family(
        name="delivery_connections_gave_way",
        kind="counter",
        unit="connections",
        help="Connections whose client kept them waiting, ended for newcomers because delivery.connections_max was "
        "reached; many mean a flood, or a limit that is too low.",
    ),
    Family(
        name="delivery_connections_used_up",
        kind="counter",
        unit="connections",
        help="Connections closed after delivery.requests_per_connection_max requests.",
    ),
    Family(
        name="delivery_pipelining_pauses",
        kind="counter",
        unit="pauses",
        help="Times that nothing more was read from a client until its delivery.pipelined_max waiting requests, or "
        "delivery.head_bytes_max of them, were answered.",
    ),
)
