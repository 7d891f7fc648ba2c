"""Remembers across restarts that an operator has drained the appliance: by empty files on every device.

When he did, when he took it back, and until when it was to hold, are the files' own times: to keep them takes no space,
so a full device can be drained, too. Of what devices say the latest holds: none of them is needed for it, and one that
was away meanwhile cannot bring back what is over.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from oca.common.clock import monotonic_s, now_ns
from oca.common.errands import Errands, Outstanding
from oca.common.log import get_logger
from oca.report.serving import ServingState, drain_reason

MARKER = "drained"
UNTIL = "drained-until"
TAKEN_BACK = "undrained"
ANSWER_S = 2.0
"""How long a start waits for devices to tell, and a drain for them to take it: one that hangs must hold up neither."""
_log = get_logger("drain")


class Drain:
    """The serving state, kept in step with its marks."""

    def __init__(self, devices: Sequence[Path], *, drain_s_max: float, timeout_s: float = ANSWER_S) -> None:
        """Take up the state that the last run left on ``devices``."""
        self.serving = ServingState(drain_s_max=drain_s_max)
        self._devices = devices
        self._timeout_s = timeout_s
        drained, self._taken_back_at_ns = self._told()
        self.at_ns, self.until_ns = drained if drained[0] > self._taken_back_at_ns else (0, 0)
        """When an operator drained the appliance, 0 while none has; and when it serves again by itself, 0: when an
        operator says so."""
        if self.at_ns:
            self.serving.drain(monotonic_s())
            _log.info("still drained by an operator", why=self.reason)

    @property
    def reason(self) -> str:
        """Who drained the appliance, since when, and how to undo it; empty while it serves."""
        return drain_reason(self.serving.state, self.at_ns, self.until_ns)

    def drain(self, for_s: int = 0) -> bool:
        """Send no new viewers here, for so long or (0) until told otherwise; false where that is so already.

        A time that is given counts from now, also where it is drained already.
        """
        changed = self.serving.drain(monotonic_s())
        if for_s:
            self.until_ns = now_ns() + for_s * 10**9
        if changed:
            self.at_ns = max(now_ns(), self._taken_back_at_ns + 1)  # the clock may have been set back
            _log.info("draining: steering sends no new viewers, who plays is moved or finishes")
        if changed or for_s:
            self._keep(partial(_mark_drained, at_ns=self.at_ns, until_ns=self.until_ns))
        return changed

    def undrain(self) -> bool:
        """Serve again; false where that is so already."""
        changed = self.serving.undrain()
        if changed:
            self._taken_back_at_ns = max(now_ns(), self.at_ns + 1)
            self.at_ns = self.until_ns = 0
            self._keep(partial(_mark_taken_back, at_ns=self._taken_back_at_ns))
            _log.info("serving again")
        return changed

    def observe(self, connections: int) -> bool:
        """Take note of the viewers left and of the time; true when the state changes by that."""
        if self.until_ns and now_ns() >= self.until_ns:
            return self.undrain()
        changed = self.serving.observe(monotonic_s(), connections)
        if changed:
            _log.info("drained", connections=connections)
        return changed

    def left_s(self) -> float:
        """Seconds until a running drain ends whatever happens."""
        return self.serving.drain_left_s(monotonic_s())

    def _told(self) -> tuple[tuple[int, int], int]:
        """When it was drained last, and until when; and when that was taken back last."""
        drained, taken_back = [(0, 0)], [0]
        work = {device: partial(_marks, device) for device in self._devices}
        errands: Errands[Path, tuple[int, int, int]] = Errands(name="drained")
        for device, answer in errands.ask(work, timeout_s=self._timeout_s).items():
            if isinstance(answer, tuple):
                drained.append(answer[:2])
                taken_back.append(answer[2])
                continue
            _log.warning(
                "whether an operator had drained this appliance cannot be read here; other devices' word holds",
                device=str(device),
                error=_words(answer),
                remedy="mend the device; where it serves and should not, 'oca drain' drains it again",
            )
        return max(drained), max(taken_back)

    def _keep(self, mark: Callable[[Path], None]) -> None:
        errands: Errands[Path, None] = Errands(name="drained")
        told = errands.ask({device: partial(mark, device) for device in self._devices}, timeout_s=self._timeout_s)
        if all(answer is not None for answer in told.values()):
            why = {str(device): _words(answer) for device, answer in told.items() if answer is not None}
            _log.warning(
                "the serving state will not outlive a restart",
                error=why or "no device is in use",
                remedy="bring a device back ('oca store bring-back DEVICE'), restart oca, then drain or undrain again",
            )


def _marks(device: Path) -> tuple[int, int, int]:
    """When the device says that the appliance was drained, until when, and when that was taken back; 0: it was not."""
    drained, until, taken_back = (_time_of(device / name) for name in (MARKER, UNTIL, TAKEN_BACK))
    return drained, until, taken_back


def _time_of(file: Path) -> int:
    try:
        return file.stat().st_mtime_ns
    except (FileNotFoundError, NotADirectoryError):
        return 0


def _mark_drained(device: Path, *, at_ns: int, until_ns: int) -> None:
    if until_ns:
        _touch(device / UNTIL, until_ns)
    else:
        (device / UNTIL).unlink(missing_ok=True)
    _touch(device / MARKER, at_ns)


def _mark_taken_back(device: Path, *, at_ns: int) -> None:
    _touch(device / TAKEN_BACK, at_ns)
    for name in (MARKER, UNTIL):
        (device / name).unlink(missing_ok=True)


def _touch(file: Path, at_ns: int) -> None:
    file.touch()
    os.utime(file, ns=(at_ns, at_ns))


def _words(answer: Exception | Outstanding) -> str:
    if isinstance(answer, Outstanding):
        return f"{answer}; see the kernel log"
    return getattr(answer, "strerror", None) or str(answer)
