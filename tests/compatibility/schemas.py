"""What a message may not do between two versions that talk to each other: lose a field, ask for a new one, change one.

Receivers pass over fields that they do not know, and senders write every field. So a new field with a default is all
that may come; then the old version reads what the new one writes, and the other way round. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Schema = Mapping[str, Any]
_WORDS = ("description", "title", "default", "examples")


def broken(old: Mapping[str, Schema], new: Mapping[str, Schema]) -> list[str]:
    """What separates two versions' messages, a line each, by the name of the message; empty where both understand both.

    Args:
        old: JSON schemas of the messages by name, as the earlier version has them.
        new: As the later one has them.
    """
    return [f"{name}: {what}" for name, schema in old.items() for what in _differences(schema, new.get(name))]


def _differences(old: Schema, new: Schema | None) -> Iterator[str]:
    if new is None:
        yield "is gone"
    elif "properties" in old:
        before, after = old["properties"], new.get("properties", {})
        for field, schema in before.items():
            if field not in after:
                yield f"{field} is gone"
            elif _bare(schema) != _bare(after[field]):
                yield f"{field} was {_bare(schema)}, is {_bare(after[field])}"
        yield from (f"{field} has no default" for field in new.get("required", []) if field not in before)
    elif "prefixItems" in old:
        places = old["prefixItems"]
        if _bare(places) != _bare(new.get("prefixItems", [])[: len(places)]):
            yield "its first places are others"
        if new.get("minItems", 0) > len(places):
            yield "a new place has no default"
    elif _bare(old) != _bare(new):
        yield f"was {_bare(old)}, is {_bare(new)}"


def _bare(schema: Any) -> Any:
    """Without what only people read, or only a receiver fills in."""
    if isinstance(schema, Mapping):
        return {key: _bare(value) for key, value in schema.items() if key not in _WORDS}
    return [_bare(each) for each in schema] if isinstance(schema, list) else schema
