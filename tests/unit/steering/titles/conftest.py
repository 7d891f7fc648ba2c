"""States on either engine, for the tests of titles."""

from __future__ import annotations

from tests.unit.steering.state.conftest import nats, opener

__all__ = ["nats", "opener"]
