"""What ``steering.toml`` may say about the log of decisions."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from oca.common.settings import Table


class DecisionLogTable(Table, frozen=True):
    """A sample of decisions with what led to them, for oca-steering replay. Clients are named by their /24 or /48."""

    folder: Annotated[
        str,
        Meta(description="Folder for it, of one instance alone; made if need be. Empty: nothing is logged."),
    ] = ""
    sample: Annotated[
        float, Meta(gt=0, le=1, description="Share of decisions that are logged, evenly; some 1 kB each.")
    ] = 0.01
    file_bytes_max: Annotated[
        int,
        Meta(
            ge=2**16,
            le=2**34,
            description="A file that has grown so far is followed by the next.",
            extra={"unit": "bytes"},
        ),
    ] = 64 * 2**20
    files_max: Annotated[
        int, Meta(ge=1, le=10_000, description="Files kept; the oldest goes when there is another.")
    ] = 16
