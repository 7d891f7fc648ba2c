"""Whether a device that was taken out can be used again, found out by using it."""

from __future__ import annotations

from pathlib import Path

from oca.common.errands import Errands, Outstanding
from oca.common.errors import StoreError
from oca.store import files
from oca.store.device import WRITE_PROBE, Device, read_table

PACKS_TRIED_MAX = 64
ANSWER_S = 15.0


def trial(number: int, folder: Path, *, timeout_s: float = ANSWER_S) -> str:
    """Read its index and the frames of some packs from the device itself, and write to it; why not, or empty."""
    errands: Errands[int, None] = Errands(name="trial")
    answer = errands.ask({number: lambda: _try(number, folder)}, timeout_s=timeout_s, patient=True)[number]
    if isinstance(answer, Outstanding):
        return f"has not answered for {timeout_s:.0f} s"
    if isinstance(answer, StoreError):
        return answer.message
    if isinstance(answer, Exception):
        raise answer
    return ""


def _try(number: int, folder: Path) -> None:
    files.require_folder(folder)
    files.forget_cached(folder / "index" / "data.mdb")
    files.rewrite(folder / WRITE_PROBE)
    device = Device.open_for_reading(number, folder)
    try:
        packs = sorted(device.index.packs())
        for each in packs[:: max(1, len(packs) // PACKS_TRIED_MAX)]:
            path = device.pack_path(each)
            files.forget_cached(path)
            descriptor = files.open_read(path)
            if descriptor is not None:  # evicted meanwhile, or for the scrub to find
                try:
                    read_table(descriptor, path)
                finally:
                    files.close(descriptor)
    finally:
        device.close()
