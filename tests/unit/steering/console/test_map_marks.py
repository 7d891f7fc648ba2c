from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from steering.console.map_marks import COLUMNS, marks
from steering.console.messages import SiteRow


def row(name: str, latitude: float, longitude: float, state: Any = "serving", boxes: int = 2) -> SiteRow:
    serving = boxes if state == "serving" else 0
    return SiteRow(
        name, name, "embedded", "", "", latitude, longitude, state, boxes, {"serving": serving}, 0, 0, 0, 0, ""
    )


def test_marks_join_sites_that_are_near_each_other() -> None:
    near = [row("ber", 52.5, 13.4), row("pots", 52.4, 13.1, "out"), row("nyc", 40.7, -74.0), row("none", 0, 0)]
    (west, east), unplaced = marks(near)
    assert (west.name, west.sites, west.state, west.bounds) == ("nyc", 1, "serving", (40.7, -74.0, 40.7, -74.0))
    assert (east.name, east.sites, east.state, east.boxes, east.boxes_serving) == ("", 2, "partly", 4, 2)
    assert (east.latitude, east.longitude) == (52.45, 13.25)
    assert east.bounds == (52.4, 13.1, 52.5, 13.4)
    assert unplaced == 1


def test_marks_of_sites_without_boxes_say_nothing() -> None:
    assert marks([row("a", 1, 1, "empty", 0)])[0][0].state == "empty"
    assert marks([row("a", 1, 1, "empty", 0), row("b", 1, 1, "out")])[0][0].state == "out"


def test_map_without_places_has_no_marks() -> None:
    assert marks([row("a", 0, 0)]) == ([], 1)
    assert marks([]) == ([], 0)


@given(st.lists(st.tuples(st.floats(-90, 90), st.floats(-180, 180)), max_size=300))
def test_marks_count_every_site_once_and_stay_few(places: list[tuple[float, float]]) -> None:
    found, unplaced = marks([row(str(number), *place) for number, place in enumerate(places)])
    assert sum(mark.sites for mark in found) + unplaced == len(places)
    assert len(found) <= COLUMNS * (COLUMNS // 2)
