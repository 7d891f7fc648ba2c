from __future__ import annotations

import pytest

from demo import nats
from demo.__main__ import main


def test_missing_server_is_named_with_the_package_that_has_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(nats, "FOLDERS", "")
    assert main(["--engine", "nats"]) == 2
    assert "needs nats-server, which is not installed; as root: apt-get install nats-server" in capsys.readouterr().err
