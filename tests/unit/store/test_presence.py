from pathlib import Path

import pytest

from oca.common.errors import ConfigError
from oca.store.presence import absent_devices


def test_presence_finds_nothing_amiss_and_touches_nothing(tmp_path: Path) -> None:
    assert absent_devices([str(tmp_path)]) == []
    assert list(tmp_path.iterdir()) == []


def test_presence_names_devices_that_a_start_would_do_without(tmp_path: Path) -> None:
    (told,) = absent_devices([str(tmp_path), str(tmp_path / "gone")])
    assert told.startswith(f"store.devices: {tmp_path}/gone: cannot use as a device: No such file or directory; mount")


def test_presence_refuses_where_no_device_is_there(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"store\.devices: .*gone: cannot use as a device") as caught:
        absent_devices([str(tmp_path / "gone"), str(tmp_path / "file")])
    assert "[store] devices" in caught.value.remedy
