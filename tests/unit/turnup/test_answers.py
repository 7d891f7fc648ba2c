from __future__ import annotations

import tomllib

from oca.turnup.answers import Answers, next_steps, settings_text

ALONE = Answers(id="fra1-a", site="fra1", devices=["/var/lib/oca/nvme0"], listen=["0.0.0.0:80"])


def test_answers_become_settings() -> None:
    whole = ALONE._replace(urls=["http://a.example"], steering="https://s.example", token_file="/etc/oca/token")
    assert tomllib.loads(settings_text(whole)) == {
        "appliance": {"id": "fra1-a", "site": "fra1"},
        "delivery": {"listen": ["0.0.0.0:80"], "urls": ["http://a.example"]},
        "store": {"devices": ["/var/lib/oca/nvme0"]},
        "steering": {"url": "https://s.example", "token_file": "/etc/oca/token"},
    }


def test_answers_name_the_key_of_a_box_without_the_package() -> None:
    elsewhere = ALONE._replace(steering="https://s.example", identity_file="/srv/box/identity.json")
    assert tomllib.loads(settings_text(elsewhere))["steering"]["identity_file"] == "/srv/box/identity.json"


def test_answers_leave_out_what_was_not_given() -> None:
    assert set(tomllib.loads(settings_text(ALONE))) == {"appliance", "delivery", "store"}
    assert "token_file" not in settings_text(ALONE._replace(steering="https://s.example"))


def test_answers_lead_to_next_steps() -> None:
    assert next_steps("a.toml", ALONE, installed=True) == [
        "oca check --config a.toml",
        "systemctl enable --now oca.service oca-fill.timer",
        "oca status",
    ]
    elsewhere = ALONE._replace(devices=["/srv/d0"], steering="https://s.example")
    assert next_steps("a.toml", elsewhere, installed=True)[0].endswith("ReadWritePaths=/srv/d0")
    assert "enrol create --appliance fra1-a" in next_steps("a.toml", elsewhere, installed=True)[1]
    token = elsewhere._replace(token_file="/etc/oca/token")
    assert "token_file of fra1-a" in next_steps("a.toml", token, installed=True)[1]


def test_answers_of_a_file_elsewhere_lead_to_no_units() -> None:
    elsewhere = ALONE._replace(devices=["/srv/d0"])
    assert next_steps("a.toml", elsewhere, installed=False) == [
        "oca check --config a.toml",
        "oca serve --config a.toml",
        "oca status --config a.toml",
    ]
