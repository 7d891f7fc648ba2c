"""What TLS on the delivery path counts; a part of ``oca.delivery.metrics``."""

from __future__ import annotations

from oca.common.metrics import Family

TLS_MODES = ("ktls", "userspace")

HANDSHAKE_FAILURES = ("http", "version", "cipher", "certificate", "gone", "time-out", "crowded", "malformed")

TLS: tuple[Family, ...] = (
    Family(
        name="delivery_tls_sent_bytes",
        kind="counter",
        unit="bytes",
        help="Bytes of bodies sent encrypted: by sendfile and the kernel (ktls), or by the worker itself (userspace).",
        label="mode",
        values=TLS_MODES,
    ),
    Family(
        name="delivery_tls_writes",
        kind="counter",
        unit="calls",
        help="Turns in which the worker itself encrypted some of a body.",
    ),
    Family(
        name="delivery_tls_connections",
        kind="gauge",
        unit="connections",
        help="TLS connections open now, by who encrypts; if userspace where the kernel should, see docs/tls.md.",
        label="mode",
        values=TLS_MODES,
    ),
    Family(name="delivery_tls_handshaking", kind="gauge", unit="handshakes", help="Handshakes not yet done."),
    Family(
        name="delivery_tls_handshakes",
        kind="counter",
        unit="handshakes",
        help="Handshakes done: whole ones, and those that a session ticket shortened.",
        label="kind",
        values=("full", "resumed"),
    ),
    Family(
        name="delivery_tls_handshakes_failed",
        kind="counter",
        unit="handshakes",
        help="Handshakes that failed: plain HTTP on a TLS port, no version or cipher in common, a client that refuses "
        "our certificate, one that left, was too slow, was silent while others waited, or sent no TLS.",
        label="reason",
        values=HANDSHAKE_FAILURES,
    ),
)
