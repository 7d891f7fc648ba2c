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
