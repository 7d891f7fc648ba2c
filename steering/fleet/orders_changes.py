"""Counts the changes of drains and turn-ups in the state, so that who follows them reads them anew only then.

The state's own version moves with each flush of demand.
"""

from __future__ import annotations

from steering.state.store import StateReader, StateTransaction

_KEY = "about/orders"


def changes(state: StateReader) -> int:
    """How many there were; to be read before what changed."""
    return int(state.get(_KEY) or b"0")


def count_change(transaction: StateTransaction) -> None:
    """Count one, in the transaction that makes it."""
    transaction.put(_KEY, str(changes(transaction) + 1).encode())
