import pytest

from oca.delivery.authorisation_settings import AuthorisationTable


def test_settings_refuse_to_guard_nothing() -> None:
    assert AuthorisationTable(mode="by-mount", mounts=("/harbour",)).mode == "by-mount"
    assert AuthorisationTable(mode="required").mounts == ()
    with pytest.raises(ValueError, match="set mounts"):
        AuthorisationTable(mode="by-mount")
