"""What ``steering.toml`` may say about trust."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from oca.common.settings import Table


class EnrolmentTable(Table, frozen=True):
    """Appliances with a key of their own ('oca-steering enrol create', then 'oca enrol' on the box)."""

    clock_skew_s_max: Annotated[
        float,
        Meta(
            ge=1,
            le=3600,
            description="A signed request is refused when its time and ours differ by more; a replayed one is known "
            "for as long.",
            extra={"unit": "seconds"},
        ),
    ] = 30.0


class OperatorsTable(Table, frozen=True):
    """Who may look at steering's page and fleet, and change things by HTTP; players and appliances need none of it."""

    login: Annotated[
        Literal["remote", "always", "off"],
        Meta(
            description="remote: whoever asks from this machine itself is let in, others log in (oca-steering users). "
            "always: everybody logs in. off: nobody does; keep the address closed to strangers."
        ),
    ] = "remote"
    session_s: Annotated[
        float,
        Meta(ge=60, le=30 * 86400, description="How long a login is good.", extra={"unit": "seconds"}),
    ] = 12 * 3600.0


class LimitsTable(Table, frozen=True):
    """What one client may take of steering: an IPv4 address, an IPv6 /64. api.trusted_proxies are not limited."""

    requests_per_s: Annotated[
        float,
        Meta(
            ge=0.1,
            le=1e6,
            description="Requests for playback, redirects and pages, in the long run; beyond, 429 with Retry-After. "
            "Many viewers share an address behind carrier NAT. Content steering is never refused.",
            extra={"unit": "requests per second"},
        ),
    ] = 100.0
    burst: Annotated[int, Meta(ge=1, le=1_000_000, description="So many more at once.", extra={"unit": "requests"})] = (
        1000
    )
    clients_max: Annotated[
        int,
        Meta(
            ge=100,
            le=10_000_000,
            description="Clients remembered, some 200 bytes each; beyond, whoever was quiet longest is forgotten.",
            extra={"unit": "clients"},
        ),
    ] = 100_000
    connections_per_client_max: Annotated[
        int,
        Meta(
            ge=1,
            le=1_000_000,
            description="Connections open at once; any beyond are closed. Raise it where many share an address.",
            extra={"unit": "connections"},
        ),
    ] = 1000
