from __future__ import annotations

import os
from pathlib import Path

from oca.store import files
from oca.store.device import index_file
from oca.store.index import create_index
from oca.store.warm import warm_indexes


def test_indexes_are_in_memory_once_their_threads_have_ended(tmp_path: Path) -> None:
    devices = [tmp_path / f"nvme{number}" for number in range(3)]
    for device in devices[:2]:
        device.mkdir()
        create_index(index_file(device).parent)
        os.sync()
        files.forget_cached(index_file(device))
    for thread in warm_indexes(devices):  # the third is not there
        thread.join(30)
        assert not thread.is_alive()
    for device in devices[:2]:
        with index_file(device).open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            assert os.preadv(file.fileno(), [bytearray(1)], size - 1, os.RWF_NOWAIT) == 1
