import msgspec
import pytest

from steering.fleet.turnup_settings import TurnupTable


@pytest.mark.parametrize("version", ["", "1", "1.2", "1.2.3.4"])
def test_turnup_settings_take_a_version(version: str) -> None:
    assert msgspec.convert({"version_min": version}, TurnupTable).version_min == version


@pytest.mark.parametrize("version", ["v1", "1.", "latest", "1.2.3.4.5"])
def test_turnup_settings_refuse_what_is_no_version(version: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"version_min": version}, TurnupTable)
