"""The one error of publishing: what an operator gave cannot be served as it is."""

from __future__ import annotations

from oca.common.errors import OcaError


class UnservableError(OcaError):
    """A packaged folder that cannot be published as it is."""

    source = "operator"
