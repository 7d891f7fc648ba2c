from typing import Any

import msgspec
import pytest

from oca.changes import compare, taken_up
from oca.settings import ApplianceSettings


def settings(**tables: Any) -> ApplianceSettings:
    return msgspec.convert({"appliance": {"id": "box", "site": "here"}, **tables}, ApplianceSettings)


@pytest.mark.parametrize(
    ("tables", "taken", "waiting"),
    [
        ({}, [], []),
        ({"delivery": {"idle_timeout_s": 5}}, ["delivery.idle_timeout_s"], []),
        ({"delivery": {"urls": ["http://a"]}}, ["delivery.urls"], []),
        ({"log": {"level": "debug"}, "drain": {"duration_s_max": 1}}, ["drain.duration_s_max", "log.level"], []),
        ({"delivery": {"listen": ["127.0.0.1:1"], "workers": 3}}, [], ["delivery.listen", "delivery.workers"]),
        ({"appliance": {"id": "other", "site": "there"}}, [], ["appliance.id", "appliance.site"]),
        ({"admin": {"listen": "127.0.0.1:1"}, "delivery": {"drain_s": 1}}, ["delivery.drain_s"], ["admin.listen"]),
        ({"store": {"devices": ["/d"]}, "steering": {"url": "http://s"}}, [], ["store.devices", "steering.url"]),
    ],
)
def test_compare_sorts_what_differs(tables: dict[str, Any], taken: list[str], waiting: list[str]) -> None:
    running, wanted = settings(), settings(**tables)
    changes = compare(running, wanted)
    assert ([*changes.taken], [*changes.waiting]) == (taken, waiting)
    again = compare(changes.settings, wanted)
    assert ([*again.taken], [*again.waiting]) == ([], waiting)
    assert compare(running, changes.settings).taken == changes.taken


def test_compare_looks_into_tables_of_tables() -> None:
    wanted = settings(delivery={"pacing": {"mode": "off"}})
    assert compare(settings(delivery={"pacing": {"mode": "cmcd"}}), wanted).taken == ("delivery.pacing.mode",)


@pytest.mark.parametrize(
    ("key", "when"),
    [
        ("delivery.idle_timeout_s", "after 'oca reload'"),
        ("delivery.listen", "after 'oca upgrade' or a restart"),
        ("delivery.workers", "after 'oca upgrade' or a restart"),
        ("store.devices", "after 'oca upgrade' or a restart"),
        ("log.level", "after 'oca reload'"),
    ],
)
def test_changes_tell_when_setting_is_taken_up(key: str, when: str) -> None:
    assert taken_up(key) == when
