"""The files that the fill agent keeps on a box's first device, read."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import msgspec

from oca.common.errors import StoreError
from oca.common.messages import FillProgress
from oca.store import files
from oca.store.fill_record import FilledNight, FilledNights, FillFigures, FillRecord, NightShown, Pause

FOLDER = "fill"
PROGRESS_FILE, PAUSE_FILE, NIGHTS_FILE = "progress.json", "pause.json", "nights.json"
FIGURES_FILE = "figures.json"
FILE_BYTES_MAX = 16 * 2**20
Kept = TypeVar("Kept")


def fill_record(device: Path) -> FillRecord:
    """What the agent has written down on ``device``; what cannot be read counts as not written."""
    return FillRecord(
        _if_sound(device, PROGRESS_FILE, FillProgress),
        _if_sound(device, PAUSE_FILE, Pause),
        _if_sound(device, FIGURES_FILE, FillFigures),
    )


def filled_nights(device: Path) -> FilledNights:
    """The nights that the agent has written down on ``device``."""
    try:
        found = read_kept(device / FOLDER / NIGHTS_FILE, list[FilledNight]) or []
    except StoreError as error:
        return FilledNights(nights=[], why=str(error))
    shown = [NightShown(night=each, efficiency=each.efficiency, is_final=each.efficiency_is_final) for each in found]
    return FilledNights(nights=shown)


def read_kept(path: Path, kind: type[Kept]) -> Kept | None:
    """What the agent wrote into a file; None where there is none.

    Raises:
        StoreError: It cannot be read, or is something else.
    """
    descriptor = files.open_read(path)
    if descriptor is None:
        return None
    try:
        raw = files.read_at(descriptor, path, FILE_BYTES_MAX, 0)
    finally:
        files.close(descriptor)
    try:
        return msgspec.json.decode(raw, type=kind)
    except msgspec.DecodeError as error:
        raise StoreError(f"{path}: is not as the agent wrote it: {error}", remedy="remove that file") from None


def _if_sound(device: Path, name: str, kind: type[Kept]) -> Kept | None:
    try:
        return read_kept(device / FOLDER / name, kind)
    except StoreError:  # the agent's own commands say so
        return None
