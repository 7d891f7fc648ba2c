from __future__ import annotations

import msgspec
import pytest

from steering.console.picture import Bounds
from steering.console.queries import ROWS_SHOWN, BoxesAsked, Paged, SitesAsked, asked, bounds_of, declared


def test_query_is_read_with_defaults_and_strangers_left_out() -> None:
    found = asked({"limit": "7", "state": "trouble", "utm": "x"}, BoxesAsked)
    assert (found.limit, found.state, found.search, found.site) == (7, "trouble", "", "")
    assert asked({}, Paged).limit == ROWS_SHOWN


@pytest.mark.parametrize(
    "query",
    [
        {"limit": "0"},
        {"limit": "201"},
        {"limit": "x"},
        {"state": "gone"},
        {"search": "x" * 101},
        {"bounds": "1,2,3"},
        {"bounds": "1,2,3,nan"},
        {"bounds": "1,2,3,4\n"},
    ],
)
def test_query_beyond_its_bounds_is_refused(query: dict[str, str]) -> None:
    with pytest.raises(msgspec.ValidationError):
        asked(query, SitesAsked)


def test_bounds_are_read_from_text() -> None:
    assert bounds_of("-1.5,2,3,4.25") == Bounds(-1.5, 2, 3, 4.25)
    assert bounds_of("") is None


def test_parameters_are_declared_with_their_meaning() -> None:
    names = {query.name: query.meaning for query in declared(SitesAsked)}
    assert set(names) == {"search", "after", "limit", "state", "bounds"}
    assert all(names.values())
