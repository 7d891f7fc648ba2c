"""A device that fails, hangs, fills up or turns read-only under real daemons and commands: only its assets are lost.

The faults are those of ``device_fault.c``, preloaded; as root the device that turns read-only is a real ext4.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from oca.store.importing import describe_folder, import_folder
from oca.store.store import Store
from tests.system.test_serve import HOST, free_port
from tests.waiting import wait_until

pytestmark = pytest.mark.system

OBJECT_BYTES = 300_000
SHIM = Path(__file__).with_name("device_fault.c")


class Box:
    """An appliance with two devices, an asset on each; the first is the one that fails."""

    def __init__(self, folder: Path, shim: Path) -> None:
        self.folder = folder
        self.devices = [folder / "nvme0", folder / "nvme1"]
        self.faults = folder / "faults"
        self.faults.mkdir()
        for device in self.devices:
            device.mkdir(exist_ok=True)
        self.delivery, self.admin = free_port(), free_port()
        self.config = folder / "appliance.toml"
        self.config.write_text(
            f'[appliance]\nid = "box"\nsite = "here"\n'
            f'[delivery]\nlisten = ["{HOST}:{self.delivery}"]\nworkers = 1\n[delivery.reads]\ntimeout_s = 0.5\n'
            f'[admin]\nlisten = "{HOST}:{self.admin}"\n'
            f'[store]\ndevices = ["{self.devices[0]}", "{self.devices[1]}"]\n'
            f"device_errors_max = 1\ndevice_hang_s = 2\n"
        )
        self.environment = {
            **os.environ,
            "LD_PRELOAD": str(shim),
            "OCA_FAULTS": str(self.faults),
            "OCA_FAULT_DEVICE": str(self.devices[0]),
        }

    def be_patient(self) -> None:
        """Where nothing hangs, a device that is slow on a busy machine is none that does."""
        said = self.config.read_text().replace("timeout_s = 0.5", "timeout_s = 30")
        self.config.write_text(said.replace("device_hang_s = 2", "device_hang_s = 60"))

    def load(self) -> None:
        """An asset of its own on each device, none of it in memory."""
        for number, device in enumerate(self.devices):
            source = self.folder / f"film{number}"
            source.mkdir()
            (source / "1.m4s").write_bytes(os.urandom(OBJECT_BYTES))
            store = Store.open([device])
            import_folder(store, *describe_folder(source, asset=f"film/v{number}", mount=f"/film{number}"))
            store.close()
        self.forget_cached()

    def forget_cached(self) -> None:
        for path in self.folder.glob("nvme*/packs/*.pack"):
            with path.open("rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)

    def fail(self, fault: str) -> None:
        (self.faults / fault).touch()

    def mend(self) -> None:
        for fault in self.faults.iterdir():
            fault.unlink()

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-m", "oca.cli", *arguments, "--config", str(self.config)]
        return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False, env=self.environment)

    @contextmanager
    def serving(self) -> Iterator[None]:
        argv = [sys.executable, "-m", "oca.cli", "serve", "--config", str(self.config)]
        log = (self.folder / "log").open("ab")
        process = subprocess.Popen(argv, stderr=log, env=self.environment)
        try:
            wait_until(lambda: self.answers() or process.poll() is not None)
            assert process.poll() is None, (self.folder / "log").read_text()
            yield
        finally:
            process.terminate()
            process.wait(30)
            log.close()

    def answers(self) -> bool:
        try:
            workers = self.status()["workers"]
        except OSError:
            return False
        return bool(workers) and all(worker["ready"] for worker in workers)

    def status(self) -> Any:
        with urllib.request.urlopen(f"http://{HOST}:{self.admin}/v1/status", timeout=5) as answer:
            return json.load(answer)

    def get(self, number: int) -> int:
        """Status of a request for the asset on that device."""
        try:
            with urllib.request.urlopen(f"http://{HOST}:{self.delivery}/film{number}/1.m4s", timeout=10) as answer:
                assert len(answer.read()) == OBJECT_BYTES
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code

    def is_out(self) -> bool:
        return "taken out" in self.status()["devices"][0]["fault"]

    def outage(self) -> Any:
        """What ``oca store devices`` says of the first device."""
        return json.loads(self.run("store", "devices", "--json").stdout)[0]

    def bring_back(self) -> None:
        done = self.run("store", "bring-back", str(self.devices[0]))
        assert done.returncode == 0, done.stderr


@pytest.fixture(scope="session")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    program = tmp_path_factory.mktemp("shim") / "device_fault.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-o", str(program), str(SHIM), "-ldl"], check=True)
    return program


@pytest.fixture
def box(tmp_path: Path, shim: Path) -> Box:
    made = Box(tmp_path, shim)
    made.load()
    return made


def serves_again(box: Box) -> Callable[[], bool]:
    return lambda: box.get(0) == 200 and box.status()["store"]["assets"] == 2


def test_device_that_fails_reads_is_out_over_a_restart_until_it_is_brought_back(box: Box) -> None:
    box.fail("read-error")
    with box.serving():
        assert box.get(1) == 200
        assert box.get(0) == 404
        wait_until(box.is_out)
        assert box.get(1) == 200
        wait_until(lambda: box.status()["health"]["verdict"] == "degraded")  # a start counts for a while
        assert box.status()["store"]["assets"] == 1
    before = box.outage()
    assert (before["state"], before["times_out"]) == ("out", 1)
    with box.serving():
        assert box.is_out()  # the trial at the start failed
        assert (box.get(0), box.get(1)) == (404, 200)
        after = box.outage()
        assert (after["since_ns"], after["errors"]) == (before["since_ns"], before["errors"])
        refused = box.run("store", "bring-back", str(box.devices[0]))
        assert refused.returncode == 1
        assert "stays out" in refused.stderr
        box.mend()
        box.bring_back()
        wait_until(serves_again(box))


def test_device_that_fails_writes_is_taken_out_by_daemon(box: Box) -> None:
    with box.serving():
        assert (box.get(0), box.get(1)) == (200, 200)
        box.fail("write-error")
        wait_until(box.is_out)
        wait_until(lambda: box.get(0) == 404)
        assert box.get(1) == 200
        box.mend()
        box.bring_back()
        wait_until(serves_again(box))


def test_device_that_fails_writes_is_taken_out_by_whoever_fills(box: Box) -> None:
    with box.serving():
        source = box.folder / "more"
        source.mkdir()
        (source / "1.m4s").write_bytes(bytes(OBJECT_BYTES))
        arguments = ("store", "import", str(source), "--asset", "film/v0", "--mount", "/film0")
        box.fail("write-error")
        began_at = time.monotonic()
        done = box.run(*arguments)  # goes where its older revision lies, or not there where the daemon was first
        if done.returncode:
            assert "Input/output error" in done.stderr
            assert box.run(*arguments).returncode == 0
        wait_until(box.is_out)  # by the daemon's own next write, where the device could not even be opened to fill it
        assert box.outage()["state"] == "out"
        assert time.monotonic() - began_at < 30
        wait_until(lambda: box.get(0) == 200)  # from the other device, now


def test_device_that_hangs_is_taken_out_and_holds_up_nobody(box: Box) -> None:
    with box.serving():
        box.fail("hang")
        assert box.get(0) == 404
        assert box.get(1) == 200
        wait_until(box.is_out)
        assert box.get(1) == 200
        assert box.outage()["state"] == "out"
        box.mend()
        box.bring_back()
        wait_until(serves_again(box))


def test_daemon_starts_beside_device_that_hangs(box: Box) -> None:
    with box.serving():
        box.fail("hang")
        wait_until(box.is_out)
        box.mend()  # so that the first daemon can end
    box.fail("hang")
    with box.serving():
        assert box.is_out()
        assert (box.get(0), box.get(1)) == (404, 200)
        box.mend()


def test_device_that_turns_read_only_is_out_and_what_only_it_has_is_still_sent(tmp_path: Path, shim: Path) -> None:
    device = tmp_path / "nvme0"
    device.mkdir()
    with mounted(tmp_path / "image", device) as mount:
        box = Box(tmp_path, shim)
        box.be_patient()
        box.load()
        with box.serving():
            assert box.get(0) == 200
            if mount is not None:
                mount("remount,abort")  # as ext4 does after an error of its device
            else:
                box.fail("read-only")
            wait_until(box.is_out)
            assert box.status()["store"]["assets"] == 1  # steering sends nobody for it
            assert (box.get(0), box.get(1)) == (200, 200)
            outage = box.outage()
            assert "Read-only file system" in outage["why"]
            refused = box.run("store", "bring-back", str(box.devices[0]))
            assert refused.returncode == 1
            assert "Read-only file system" in refused.stderr
        if mount is None:
            box.mend()
        else:
            mount("")
        with box.serving():  # a start tries it again; its first read may take longer than reads.timeout_s
            wait_until(serves_again(box))


@contextmanager
def mounted(image: Path, device: Path) -> Iterator[Callable[[str], None] | None]:
    """As root a file system of its own, to be mounted anew, or with options; None where nobody may mount."""
    if os.geteuid() != 0:
        yield None
        return
    image.touch()
    os.truncate(image, 64 * 2**20)
    subprocess.run(["mkfs.ext4", "-q", "-F", str(image)], check=True)

    def mount(options: str) -> None:
        if options:
            subprocess.run(["mount", "-o", options, str(device)], check=True)
            return
        subprocess.run(["umount", str(device)], check=True)
        # A copy: namespaces that other tests made meanwhile have this mount too, and as long as one does, mounting the
        # image again gives the file system as it is, aborted.
        mended = shutil.copy(image, image.with_name("mended"))
        subprocess.run(["mount", "-o", "loop,errors=remount-ro", str(mended), str(device)], check=True)

    try:
        subprocess.run(["mount", "-o", "loop,errors=remount-ro", str(image), str(device)], check=True)
        yield mount
    finally:
        subprocess.run(["umount", "--lazy", str(device)], check=True)


def test_full_device_refuses_asset_keeps_the_rest_and_stays_in(box: Box) -> None:
    source = box.folder / "more"
    source.mkdir()
    (source / "1.m4s").write_bytes(os.urandom(OBJECT_BYTES))
    arguments = ("store", "import", str(source), "--asset", "film/v0", "--mount", "/film0")
    with box.serving():
        box.fail("full")
        refused = box.run(*arguments)
        assert refused.returncode == 1
        assert "No space left on device; free space on that device" in refused.stderr
        assert (box.get(0), box.get(1)) == (200, 200)
        assert not box.is_out()
        box.mend()
        assert box.run(*arguments).returncode == 0
        assert box.outage()["times_out"] == 0
        assert box.run("store", "verify").returncode == 0
