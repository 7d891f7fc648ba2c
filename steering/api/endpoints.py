"""The one declaration of each endpoint, at its handler: routes and the OpenAPI document both come of it.

Pure: no request is handled here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Annotated, Any, NamedTuple, TypeVar

from msgspec import Meta

_MARK = "_endpoint"
Declared = TypeVar("Declared", bound=Callable[..., Any])


class Query(NamedTuple):
    """One parameter of the query; ``kind`` is a type that msgspec knows."""

    name: str
    meaning: str
    kind: Any = Annotated[str, Meta(max_length=200)]
    required: bool = False


class Endpoint(NamedTuple):
    """One method of one path.

    Attributes:
        method: As HTTP writes it. Whatever answers GET answers HEAD.
        path: As aiohttp writes it, with ``{name}`` or ``{name:pattern}`` for what varies.
        name: The handler's.
        meaning: The handler's docstring.
        takes: Type of the JSON body; None: a body is not taken.
        gives: Type of the JSON answer, or the media type of another one; None: an answer without a body.
        status: Of the answer.
        refuses: Statuses of refusals, beside those of each door on the way.
        query: What the query may hold.
    """

    method: str
    path: str
    name: str
    meaning: str
    takes: Any
    gives: Any
    status: int
    refuses: tuple[int, ...]
    query: tuple[Query, ...]


def endpoint(
    method: str,
    path: str,
    *,
    takes: Any = None,
    gives: Any = None,
    status: int = 200,
    refuses: tuple[int, ...] = (),
    query: tuple[Query, ...] = (),
) -> Callable[[Declared], Declared]:
    """Declare a handler; its docstring says what it is for."""

    def declare(handler: Declared) -> Declared:
        name = handler.__name__
        meaning = " ".join((handler.__doc__ or "").split())
        setattr(handler, _MARK, Endpoint(method, path, name, meaning, takes, gives, status, refuses, query))
        return handler

    return declare


def declared(part: type) -> Iterator[Endpoint]:
    """The endpoints whose handlers a class holds, in its order."""
    for handler in vars(part).values():
        if (found := getattr(handler, _MARK, None)) is not None:
            yield found


def handlers(part: object) -> Iterator[tuple[Endpoint, Callable[..., Any]]]:
    """The endpoints of an object, each with its handler."""
    for found in declared(type(part)):
        yield found, getattr(part, found.name)
