"""What ``steering.toml`` may say about trust."""

from __future__ import annotations

from typing import Annotated

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
