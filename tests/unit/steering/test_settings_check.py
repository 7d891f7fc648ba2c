from __future__ import annotations

from typing import Any

import pytest

from steering.history.settings import HistoryTable
from steering.settings import FleetTable, RoutesTable
from steering.state.settings import StateTable
from tests.unit.steering.made_up import make_settings, make_site


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"routes": RoutesTable(allow=("10.0.0.1/8",))}, "has bits set beyond its length; clear those bits"),
        ({"site": (make_site(within=("ten",)),)}, "site metro: within: 'ten' is not an address prefix; write it like"),
        (
            {"history": HistoryTable(engine="spark://127.0.0.1:7077"), "state": StateTable(engine="nats")},
            "history.path is empty, so that there are no files for Spark",
        ),
        ({"fleet": FleetTable(shed_from_ratio=0.9, full_ratio=0.9)}, "is not above fleet.shed_from_ratio; raise it"),
    ],
)
def test_settings_refuse_what_contradicts_itself(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        make_settings(**changes)
