"""What the console's pages may be asked for, declared once for checks and the document of the API. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar, get_type_hints

import msgspec
from msgspec import Meta, Struct

from steering.api.endpoints import Query
from steering.console.picture import Bounds

ROWS_SHOWN, ROWS_SHOWN_MAX = 50, 200
Asked = TypeVar("Asked", bound=Struct)
Limit = Annotated[int, Meta(ge=1, le=ROWS_SHOWN_MAX, description=f"Rows at most; {ROWS_SHOWN} if it is not said.")]
After = Annotated[str, Meta(max_length=200, description="The `after` of the page before: go on behind it.")]
Search = Annotated[str, Meta(max_length=100, description="Text that must be in a name, in capitals or not.")]
_DEGREES = r"-?[0-9]{1,3}(\.[0-9]{1,15})?"
BoundsText = Annotated[
    str,
    Meta(
        pattern=rf"\A({_DEGREES}(,{_DEGREES}){{3}})?\Z",
        max_length=100,
        description="Inside this part of the map: south, west, north, east in degrees, with commas between.",
    ),
]
SiteStates = Annotated[
    Literal["", "serving", "partly", "out", "empty"], Meta(description="In this state; empty: in any.")
]
BoxStates = Annotated[
    Literal["", "trouble", "out", "degraded", "waiting", "drained", "serving"],
    Meta(description="In this state; trouble: in any but serving; empty: in any."),
]


class Paged(Struct, frozen=True, kw_only=True):
    """A page of anything."""

    search: Search = ""
    after: After = ""
    limit: Limit = ROWS_SHOWN


class SitesAsked(Paged, frozen=True, kw_only=True):
    """Of sites."""

    state: SiteStates = ""
    bounds: BoundsText = ""


class BoxesAsked(Paged, frozen=True, kw_only=True):
    """Of appliances."""

    state: BoxStates = ""
    site: Annotated[str, Meta(max_length=63, description="Of this site alone.")] = ""


def declared(kind: type[Struct]) -> tuple[Query, ...]:
    """The parameters of a query, for the document."""
    hints = get_type_hints(kind, include_extras=True)
    return tuple(Query(name, _meaning(hints[name]), hints[name]) for name in kind.__struct_fields__)


def asked(query: Mapping[str, str], kind: type[Asked]) -> Asked:
    """A query, checked.

    Raises:
        msgspec.ValidationError: Naming the parameter that is wrong.
    """
    return msgspec.convert({name: query[name] for name in kind.__struct_fields__ if name in query}, kind, strict=False)


def bounds_of(text: str) -> Bounds | None:
    """The part of the map; None: all of it."""
    return Bounds(*map(float, text.split(","))) if text else None


def _meaning(hint: Any) -> str:
    return next(str(meta.description) for meta in hint.__metadata__ if meta.description is not None)
