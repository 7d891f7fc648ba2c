"""When a device counts as failed, and what is remembered of it. Pure: ``outages`` keeps the records on the devices."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

Cause = Literal["io-error", "hang", "read-only", "operator"]
ERRORS_KEPT_MAX = 16
SAID_CHARACTERS_MAX = 400
CAUSES: dict[Cause, str] = {
    "io-error": "it answers with errors",
    "hang": "it does not answer",
    "read-only": "it takes no writes",
    "operator": "an operator took it out",
}


class DeviceError(Struct, frozen=True):
    """One thing that a device answered, and when (ns since 1970)."""

    at_ns: int
    said: Annotated[str, Meta(max_length=SAID_CHARACTERS_MAX)]


class Outage(Struct, frozen=True):
    """What is known of a device that is out, or was.

    Attributes:
        device: Its folder, as in the settings.
        out: Whether nothing is asked of it now.
        cause: Why it was taken out last.
        said: That in words; of one that is back, how it came back.
        at_ns: When the record changed; of several of one device the latest holds.
        errors: What the device answered before it was taken out, oldest first.
        times: How often it was taken out.
    """

    device: str
    out: bool
    cause: Cause
    said: Annotated[str, Meta(max_length=SAID_CHARACTERS_MAX)]
    at_ns: int
    errors: Annotated[tuple[DeviceError, ...], Meta(max_length=ERRORS_KEPT_MAX)] = ()
    times: Annotated[int, Meta(ge=0)] = 0

    @property
    def readable(self) -> bool:
        """Whether what lies there may still be served, to whoever asks for what no other device has."""
        return self.cause == "read-only"


encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(Outage).decode


def newest(records: Iterable[Outage]) -> dict[str, Outage]:
    """The record that holds of each device."""
    latest: dict[str, Outage] = {}
    for record in records:
        known = latest.get(record.device)
        if known is None or record.at_ns > known.at_ns:
            latest[record.device] = record
    return latest


def take_out(
    before: Outage | None, device: str, cause: Cause, said: str, *, now_ns: int, errors: Sequence[DeviceError] = ()
) -> Outage:
    """The record of a device that is taken out; ``before`` is what was known of it, which a clock set back must not
    outlive.
    """
    known = before.errors if before is not None else ()
    said = said[:SAID_CHARACTERS_MAX]
    return Outage(
        device=device,
        out=True,
        cause=cause,
        said=said,
        at_ns=_after(before, now_ns),
        errors=(*known, *(errors or (DeviceError(now_ns, said),)))[-ERRORS_KEPT_MAX:],
        times=(before.times if before is not None else 0) + 1,
    )


def bring_back(before: Outage, said: str, *, now_ns: int) -> Outage:
    """The record of a device that is used again."""
    return msgspec.structs.replace(before, out=False, said=said[:SAID_CHARACTERS_MAX], at_ns=_after(before, now_ns))


def remedy_of(outage: Outage) -> str:
    """What an operator does about a device that is out."""
    if outage.cause == "operator":
        return f"'oca store bring-back {outage.device}' uses it again"
    return f"see the kernel log, mend or replace it, then 'oca store bring-back {outage.device}'"


def sentence(outage: Outage) -> str:
    """Since when and why a device is out, for health, lists and the log."""
    since = datetime.fromtimestamp(outage.at_ns / 1e9, tz=UTC)
    return f"taken out {since:%Y-%m-%d %H:%M:%SZ}, {CAUSES[outage.cause]}: {outage.said}"


class Failures:
    """One device's failed reads: one bad block costs its asset, several in a while cost the device."""

    def __init__(self, *, errors_max: int, window_s: float) -> None:
        self._errors_max = errors_max
        self._window_s = window_s
        self._noted: deque[tuple[float, str, DeviceError]] = deque(maxlen=ERRORS_KEPT_MAX)

    def note(self, where: str, said: str, *, now_s: float, now_ns: int) -> Sequence[DeviceError]:
        """Take note of a failed read; returns the errors for which the device is to be taken out, else none.

        The same place counts once: many viewers may ask for it.
        """
        self._expire(now_s)
        if all(where != known for _, known, _ in self._noted):
            self._noted.append((now_s, where, DeviceError(now_ns, said[:SAID_CHARACTERS_MAX])))
        return [error for _, _, error in self._noted] if len(self._noted) >= self._errors_max else ()

    def count(self, now_s: float) -> int:
        """How many failed within the window."""
        self._expire(now_s)
        return len(self._noted)

    def forget(self) -> None:
        """Begin anew: the device is back."""
        self._noted.clear()

    def _expire(self, now_s: float) -> None:
        while self._noted and self._noted[0][0] <= now_s - self._window_s:
            self._noted.popleft()


def _after(before: Outage | None, now_ns: int) -> int:
    return max(now_ns, before.at_ns + 1) if before is not None else now_ns
