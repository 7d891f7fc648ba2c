from __future__ import annotations

from typing import Any

import pytest

from steering.history.settings import HistoryTable
from steering.settings import FleetTable, RoutesTable
from steering.signing_settings import SigningTable
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
        (
            {"signing": SigningTable(mode="optional", key_lifetime_s=1200, bind_client="prefix")},
            "76 keys come to be good at a time, and appliances take 64, one made by hand .*; raise it to 1470 s",
        ),
        ({"signing": SigningTable(mode="required", key_lifetime_s=711)}, "64 keys come to .*; raise it to 712 s, or"),
        ({"fleet": FleetTable(shed_from_ratio=0.9, full_ratio=0.9)}, "is not above fleet.shed_from_ratio; raise it"),
    ],
)
def test_settings_refuse_what_contradicts_itself(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        make_settings(**changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"key_lifetime_s": 712},
        {"key_lifetime_s": 1470, "bind_client": "prefix"},
        {"key_lifetime_s": 1, "mode": "off"},
    ],
)
def test_settings_take_keys_as_short_as_appliances_take_them(changes: dict[str, Any]) -> None:
    assert make_settings(signing=SigningTable(**{"mode": "required"} | changes)).signing.key_lifetime_s
