"""Settings of TLS on the delivery path: ``[delivery.tls]``."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from oca.common.addresses import ListenAddress
from oca.common.settings import Table


class CertificateTable(Table, frozen=True):
    """One certificate with its key, both PEM files. The first serves clients that name no host, or an unknown one."""

    chain_file: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=4096,
            description="The certificate, then those that sign it up to the root's (Let's Encrypt: fullchain.pem). The "
            "host names it is chosen by are those it names itself.",
            examples=["/etc/oca/tls/fullchain.pem"],
        ),
    ]
    key_file: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=4096,
            description="Its private key, without a passphrase, readable by the service alone (mode 0600 or 0640).",
            examples=["/etc/oca/tls/privkey.pem"],
        ),
    ]


class TlsTable(Table, frozen=True):
    """HTTPS for viewers. Certificates are read again by SIGHUP; connections that are open keep theirs."""

    listen: Annotated[
        tuple[ListenAddress, ...],
        Meta(
            max_length=8,
            description='Addresses and ports to serve HTTPS on, such as "0.0.0.0:8443"; none: no TLS. None of them may '
            "be in delivery.listen too.",
        ),
    ] = ()
    version_min: Annotated[
        Literal["1.2", "1.3"], Meta(description="Oldest version of TLS that a client may speak; 1.3 shuts out few.")
    ] = "1.2"
    kernel: Annotated[
        Literal["auto", "on", "off"],
        Meta(
            description="Whether the kernel encrypts, so that bodies leave by sendfile: auto where it can (module "
            "tls), on refuses to start where it cannot, off encrypts in the worker."
        ),
    ] = "auto"
    handshake_timeout_s: Annotated[
        float,
        Meta(
            ge=0.1,
            le=120,
            description="How long a client may take from connecting to the end of the handshake.",
            extra={"unit": "seconds"},
        ),
    ] = 10.0
    handshakes_max: Annotated[
        int,
        Meta(
            ge=1,
            le=100_000,
            description="Handshakes under way at once per worker; more wait their turn. While they wait, one that has "
            "taken longer than a second is reset.",
            extra={"unit": "handshakes"},
        ),
    ] = 512
    ticket_keys_s: Annotated[
        float,
        Meta(
            ge=60,
            le=7 * 86400,
            description="How long the workers seal session tickets with the same keys. Who comes back with an older "
            "ticket makes a whole handshake; keys that live long weaken forward secrecy.",
            extra={"unit": "seconds"},
        ),
    ] = 43200.0
    certificates: tuple[CertificateTable, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what cannot serve; the remedy follows the last semicolon."""
        if self.listen and not self.certificates:
            raise ValueError("listen is set, but no certificate; add [[delivery.tls.certificates]]")
