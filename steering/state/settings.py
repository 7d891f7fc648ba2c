"""What ``steering.toml`` may say about where the state is kept."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from oca.common.settings import Table

NatsUrl = Annotated[
    str,
    Meta(
        pattern=r"\A(nats|tls)://([A-Za-z0-9._-]{1,253}|\[[0-9a-fA-F:]{2,45}\])(:[1-9][0-9]{0,4})?\Z",
        extra={"form": "nats:// or tls://, a host, and its port if it is not 4222"},
    ),
]


class NatsTable(Table, frozen=True):
    """NATS with JetStream, version 2.9 or later, for engine = "nats"; see docs/state.md."""

    urls: Annotated[
        tuple[NatsUrl, ...],
        Meta(
            min_length=1,
            max_length=16,
            description="Servers of the cluster; the next is taken when one is away. tls:// encrypts.",
        ),
    ] = ("nats://127.0.0.1:4222",)
    name: Annotated[
        str,
        Meta(
            pattern=r"\A[a-z0-9][a-z0-9_-]{0,31}\Z",
            description="What the streams of this deployment begin with; all its instances have the same.",
            extra={"form": "lower-case letters, digits, _ and -, 32 at most"},
        ),
    ] = "oca"
    replicas: Annotated[
        int,
        Meta(ge=1, le=5, description="Servers that keep each stream, when it is made; 3 outlive the loss of one."),
    ] = 3
    credentials_file: Annotated[
        str,
        Meta(
            description="File with user:password, or a token alone, on one line of 16 to 4096 printable ASCII "
            "characters; empty: none."
        ),
    ] = ""
    tls_ca_file: Annotated[
        str, Meta(description="Certificates (PEM) that the servers' must come from; empty: the system's.")
    ] = ""
    tls_certificate_file: Annotated[str, Meta(description="Certificate (PEM) to show to the servers; empty: none.")] = (
        ""
    )
    tls_key_file: Annotated[str, Meta(description="Its private key (PEM).")] = ""


class StateTable(Table, frozen=True):
    """Where the catalogue, demand, plans, keys and operators are kept."""

    engine: Annotated[
        Literal["lmdb", "nats"],
        Meta(
            description="lmdb: in a folder, for one instance. nats: in a NATS JetStream cluster, for several; each "
            "keeps a copy in its folder and answers from that."
        ),
    ] = "lmdb"
    path: Annotated[str, Meta(min_length=1, description="Folder of the state, or of this instance's copy of it.")] = (
        "/var/lib/oca-steering"
    )
    bytes_max: Annotated[
        int,
        Meta(
            ge=2**20,
            le=2**44,
            description="Most the state may grow to; address space, taken on disk only as used.",
            extra={"unit": "bytes"},
        ),
    ] = 64 * 2**30
    instance: Annotated[
        str,
        Meta(
            pattern=r"\A([A-Za-z0-9][A-Za-z0-9._-]{0,62})?\Z",
            description="Name of this instance among several; empty: the host's name.",
            extra={"form": "letters, digits and inner . _ -, 63 at most, or empty"},
        ),
    ] = ""
    nats: NatsTable = NatsTable()
