from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from oca.common.errors import StoreError
from oca.store.in_use import open_in_use
from oca.store.outage import take_out
from oca.store.outages import keep


def test_store_in_use_is_without_devices_that_are_out(make_device: Callable[[str], Path]) -> None:
    devices = [make_device("nvme0"), make_device("nvme1")]
    with closing(open_in_use(devices)) as reader:
        assert (len(reader.devices()), reader.failed) == (2, {})
    keep(devices, take_out(None, str(devices[0]), "io-error", "EIO", now_ns=1))
    with closing(open_in_use(devices)) as reader:
        assert [device.number for device in reader.devices()] == [1]
        assert "taken out" in reader.failed[0].message
    keep(devices, take_out(None, str(devices[1]), "io-error", "EIO", now_ns=1))
    with pytest.raises(StoreError, match="nvme0: taken out"):
        open_in_use(devices)
