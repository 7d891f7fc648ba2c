from __future__ import annotations

import pytest

from steering.trust.local_actor import local_actor


def test_local_actor_names_user_sudo_and_ssh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SUDO_USER", raising=False)
    monkeypatch.delenv("SSH_CONNECTION", raising=False)
    plain = local_actor()
    assert plain.place == "this machine"
    monkeypatch.setenv("SUDO_USER", "anna")
    monkeypatch.setenv("SSH_CONNECTION", "192.0.2.1 50000 192.0.2.2 22")
    assert local_actor() == (f"{plain.who} (sudo by anna)", "ssh 192.0.2.1")


def test_local_actor_without_a_name_is_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("steering.trust.local_actor.ASKER", 987654321)
    assert local_actor().who.startswith("uid 987654321")
