"""The error tree: four families, each error with its remedy.

Expected outcomes (a miss, an unhealthy appliance, a title nobody holds) are values with a reason and do not
belong here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

Source = Literal["operator", "client", "upstream", "internal"]


class OcaError(Exception):
    """Something failed that its reader can act on.

    Attributes:
        message: What happened, naming the file, key or object, its value and the limit.
        remedy: What to do next.
        source: Whose doing it is.
    """

    source: ClassVar[Source] = "internal"

    def __init__(self, message: str, *, remedy: str) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message}; {self.remedy}"


class ConfigError(OcaError):
    """A configuration file, flag or environment variable is wrong. Commands exit with 78."""

    source = "operator"


class ProtocolError(OcaError):
    """A peer's bytes break HTTP; the connection is answered with ``status`` and closed."""

    source = "client"

    def __init__(self, message: str, *, remedy: str = "send a well-formed request", status: int = 400) -> None:
        super().__init__(message, remedy=remedy)
        self.status = status


class StoreError(OcaError):
    """A device, pack or index cannot be read or written."""


class StoreFullError(StoreError):
    """No device has room for an asset; ``free_bytes`` tells by a device's position what is free there.

    It is empty where the system itself ran out of space in the middle of a write.
    """

    def __init__(self, message: str, *, remedy: str, free_bytes: Mapping[int, int]) -> None:
        super().__init__(message, remedy=remedy)
        self.free_bytes = free_bytes


class SteeringError(OcaError):
    """Steering cannot be reached, or refuses what it was sent."""

    source = "upstream"
