"""How full the store is."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from oca.common.errors import StoreError
from oca.store import files
from oca.store.index import Index
from oca.store.reader import StoreReader
from oca.store.store import Store
from oca.store.use import measure, survey
from tests.unit.store.made_up import hold, make_contents, make_manifest
from tests.waiting import WAIT_S


def test_use_counts_what_is_held(store: Store, device: Path) -> None:
    held = hold(store)
    reader = StoreReader.open([device])
    found = survey(reader, device_bytes_max=10**6, reserve_ratio=0.05)
    assert (found.held, found.devices, found.failed) == ([held], 1, {})
    use = found.require_device().use
    assert use == store.use() or use.capacity_bytes == 10**6
    assert (use.used_bytes, use.assets, use.objects) == (held.bytes, 1, 4)
    reader.close()


def test_survey_loses_only_assets_of_device_whose_index_fails(
    make_device: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    devices = [make_device("nvme0"), make_device("nvme1")]
    store = Store.open(devices, device_bytes_max=10**6, reserve_ratio=0)
    held = [hold(store, asset) for asset in ("a/one", "b/two")]
    store.close()
    reader = StoreReader.open([*devices, Path("/nonexistent/nvme9")])
    failing, working = reader.devices()

    def fail(_: Index) -> None:
        raise StoreError("the index is damaged", remedy="make it anew")

    monkeypatch.setattr(failing.index, "census", lambda: fail(failing.index))
    found = survey(reader, device_bytes_max=10**6, reserve_ratio=0).require_device()
    assert found.held == [pack for pack in held if pack.device == working.number]
    assert (found.use.assets, found.use.capacity_bytes, found.devices) == (1, 10**6, 1)
    assert sorted(found.failed) == [0, 2]
    monkeypatch.setattr(working.index, "census", lambda: fail(working.index))
    with pytest.raises(StoreError, match="the index is damaged"):
        survey(reader, device_bytes_max=10**6, reserve_ratio=0).require_device()
    reader.close()


def test_survey_tells_index_that_is_cut_while_it_is_open(store: Store, device: Path) -> None:
    hold(store)
    store.close()
    script = f"""
import os
from pathlib import Path
from oca.store.reader import StoreReader
from oca.store.use import survey
device = Path({str(device)!r})
reader = StoreReader.open([device])
os.truncate(device / "index" / "data.mdb", 8192)
print(survey(reader, device_bytes_max=0, reserve_ratio=0).failed[0])
"""
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=WAIT_S)
    assert (run.returncode, run.stderr) == (0, "")
    assert "it is cut short" in run.stdout


def test_use_counts_staged_parts_as_ours(store: Store) -> None:
    staged = store.stage(make_manifest(make_contents()))
    staged.write(bytes(100))
    staged.close()  # what has arrived is gathered before it is written
    assert measure(store.devices())[0].staged == 4196


def test_use_shares_one_file_system_between_its_devices(make_device: Callable[[str], Path]) -> None:
    folders = [make_device("nvme0"), make_device("nvme1")]
    store = Store.open(folders, reserve_ratio=0)
    total, _ = files.space(folders[0])
    assert [space.total for space in measure(store.devices()).values()] == [total // 2, total // 2]
    store.close()
