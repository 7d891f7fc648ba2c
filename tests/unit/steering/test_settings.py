from __future__ import annotations

from pathlib import Path

import pytest

from oca.common.errors import ConfigError
from oca.common.settings import render_default
from steering.settings import HEADING, SteeringSettings, load_settings

SITE = '[[site]]\nid = "{0}"\nprefixes = ["{1}"]\n[[site.appliance]]\nid = "{2}"\n'


def write(folder: Path, text: str) -> Path:
    path = folder / "steering.toml"
    path.write_text(text)
    return path


def test_settings_hold_sites_with_appliances(tmp_path: Path) -> None:
    text = '[api]\nlisten = "127.0.0.1:1"\n' + SITE.format("metro", "10.0.0.0/8", "metro-a")
    site = load_settings(write(tmp_path, text)).site[0]
    assert (site.id, site.class_, site.appliance[0].id) == ("metro", "embedded", "metro-a")


def test_settings_by_default_leave_a_killed_appliance_within_five_seconds() -> None:
    fleet = SteeringSettings().fleet
    assert fleet.report_interval_s * fleet.missed_reports_max + fleet.report_grace_s <= 5


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            SITE.format("m", "10.0.0.1/8", "m-a"),
            "site m: prefix '10.0.0.1/8' has bits set beyond its length; clear those bits, or write a longer prefix",
        ),
        (
            SITE.format("m", "ten", "m-a"),
            "site m: prefix 'ten' is not an address prefix; write it like 192.0.2.0/24 or 2001:db8::/32",
        ),
        (
            SITE.format("m", "10.0.0.0/8", "origin"),
            "the appliance id origin is reserved for the origin; give it another id",
        ),
        (SITE.format("m", "10.0.0.0/8", "a") * 2, "two [[site]] have the id m; give one another id"),
        (
            SITE.format("m", "10.0.0.0/8", "a") + SITE.format("n", "11.0.0.0/8", "a"),
            "appliance a is in site m and again in n; take it out of one",
        ),
        (
            SITE.format("m", "10.0.0.0/8", "a") + SITE.format("n", "10.0.0.0/8", "b"),
            "prefix 10.0.0.0/8 is in site m and in n; take it out of one",
        ),
        ('[api]\ntrusted_proxies = ["x"]', "api.trusted_proxies: 'x' is not an address prefix; write it like"),
        ('[api]\nlisten = "nowhere"', "api.listen"),
        ("[api]\nsteering_ttl_s = 0", "api.steering_ttl_s"),
        ('[plan]\nat = "25:00"', "a time of day like 01:30"),
        ("[plann]\n", "did you mean plan?"),
    ],
)
def test_settings_refuse_what_cannot_be(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(ConfigError) as refused:
        load_settings(write(tmp_path, text))
    assert told in str(refused.value)
    assert "steering.toml" in str(refused.value)


def test_default_file_loads_as_the_defaults(tmp_path: Path) -> None:
    text = render_default(SteeringSettings, heading=HEADING)
    assert load_settings(write(tmp_path, text)) == SteeringSettings()
