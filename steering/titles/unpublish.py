"""Takes titles out of the catalogue, whole: their assets and paths with them. What boxes hold is not its business."""

from __future__ import annotations

from collections.abc import Sequence

from oca.common.errors import ConfigError
from steering.state.store import StateReader, StateStore
from steering.titles.catalogue import Title, read_title, remove_title
from steering.trust.audit import append
from steering.trust.local_actor import local_actor


def unpublish(names: Sequence[str], state: StateStore, *, now_ns: int) -> list[Title]:
    """Take titles out of the catalogue, all or none; they may be published again.

    Nothing of another title goes with them: an asset is named by its title, and a path is of one title.

    Args:
        names: Their ids.
        state: Where the catalogue lives; services may have it open.
        now_ns: When, for the audit log.

    Returns:
        What they were, in the order of their names.

    Raises:
        ConfigError: One of them is not there; nothing was changed.
    """
    with state.write() as transaction:
        found = published(names, transaction)
        for title in found:
            remove_title(transaction, title)
            append(transaction, local_actor(), "unpublish", title.title, now_ns=now_ns)
    return found


def published(names: Sequence[str], state: StateReader) -> list[Title]:
    """The titles of these ids, each once.

    Raises:
        ConfigError: One of them is not there.
    """
    found = {name: read_title(state, name) if name.isascii() else None for name in names}
    if unknown := [repr(name) for name, title in found.items() if title is None]:
        raise ConfigError(
            f"no title {', '.join(unknown)} is published; nothing was taken out",
            remedy="'oca-steering titles' lists those that are, 'oca-steering audit' tells of what was taken out",
        )
    return [title for title in found.values() if title is not None]
