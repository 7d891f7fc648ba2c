"""One playback as its viewer feels it: playhead and buffer over time, waits, seeks, and when the viewer leaves. Pure.

Time comes in as ``now``, in seconds on any clock that never steps. What is fetched, and from where, is not known here.
"""

from __future__ import annotations

from benchmarks.players.viewer import Viewer

BUFFER_S = 30.0
"""Buffered ahead before the player pauses fetching, as hls.js by default."""
START_S = 2.0
"""Buffered before a playback starts, or goes on after a stall or a seek."""
_CLOSE_S = 1e-6


class Playback:
    """The state of one playback.

    Attributes:
        watched_s: Seconds of film that were shown.
        startup_s: From the viewer's click to the first picture; None: none yet.
        unstarted_s: How long a viewer had waited who saw no picture at all; None: saw one, or still waits.
        stalls_s: Length of each stall.
        seek_waits_s: From each seek to the picture after it.
        ending: Why it is over; empty while it goes on.
        number: The segment that is wanted next, from 0.
        segments_s: Length of each segment.
    """

    def __init__(self, viewer: Viewer, segments_s: tuple[float, ...], *, clicked_at: float) -> None:
        self.watched_s = 0.0
        self.startup_s: float | None = None
        self.unstarted_s: float | None = None
        self.stalls_s: list[float] = []
        self.seek_waits_s: list[float] = []
        self.ending = ""
        self.number = 0
        self._viewer = viewer
        self.segments_s = segments_s
        self._duration_s = sum(segments_s)
        self._seeks = list(viewer.seeks)
        self._head_s = 0.0
        self._buffered_to_s = 0.0
        self._now = clicked_at
        self._waits_since: float | None = clicked_at
        self._waits: list[float] | None = None

    # ---- what happened ----

    def advance(self, now: float) -> None:
        """Let time pass up to ``now``: show what is buffered, stall, seek, leave."""
        while not self.ending and self._now < now:
            change_at = self.change_at()
            until = min(now, now if change_at is None else change_at)
            if self._waits_since is None:
                shown_s = max(0.0, until - self._now)
                self._head_s += shown_s
                self.watched_s += shown_s
            self._now = max(self._now, until)
            if change_at is not None and change_at <= now:
                self._change()

    def arrived(self, number: int, now: float) -> bool:
        """Segment ``number`` is here whole; false: it is not what is wanted next any more, and dropped."""
        self.advance(now)
        if self.ending or number != self.number:
            return False
        self._buffered_to_s += self.segments_s[self.number]
        self.number += 1
        if self._waits_since is not None and self._may_play():
            waited_s = now - self._waits_since
            if self.startup_s is None:
                self.startup_s = waited_s
            else:
                assert self._waits is not None, "a stall or a seek began the wait"
                self._waits.append(waited_s)
            self._waits_since = None
        return True

    def end(self, now: float, why: str) -> None:
        """End it from outside: the run is over, or nobody serves the film any more."""
        self.advance(now)
        if not self.ending:
            self._end(why)

    # ---- what comes next ----

    @property
    def is_waiting(self) -> bool:
        """Whether the viewer sees no moving picture."""
        return self._waits_since is not None

    @property
    def is_stalled(self) -> bool:
        """Whether the buffer ran empty, and is so still."""
        return self._waits_since is not None and self._waits is self.stalls_s

    @property
    def has_all(self) -> bool:
        """Whether everything up to the film's end is buffered."""
        return self.number >= len(self.segments_s)

    @property
    def buffered_s(self) -> float:
        """Seconds of film ahead of the playhead."""
        return max(0.0, self._buffered_to_s - self._head_s)

    @property
    def fetch_at(self) -> float | None:
        """When to fetch segment ``number``; None: there is nothing more to fetch."""
        return None if self.has_all else self._now + max(0.0, self.buffered_s - BUFFER_S)

    def change_at(self) -> float | None:
        """When, if no segment arrives before, something changes by itself; None: it is over."""
        if self.ending:
            return None
        if self._waits_since is not None:
            return max(self._now, self._waits_since + self._viewer.patience_s)
        watched_at = [self._viewer.leaves_after_s, *(seek.watched_s for seek in self._seeks[:1])]
        return self._now + max(0.0, min(self.buffered_s, *(at - self.watched_s for at in watched_at)))

    # ---- changes ----

    def _may_play(self) -> bool:
        return self.buffered_s >= min(START_S, self._duration_s - self._head_s) - _CLOSE_S

    def _change(self) -> None:
        if self._waits_since is not None:
            self._end("impatient")
        elif self.watched_s >= self._viewer.leaves_after_s - _CLOSE_S:
            self._end("left")
        elif self._head_s >= self._duration_s - _CLOSE_S:
            self._end("finished")
        elif self._seeks and self.watched_s >= self._seeks[0].watched_s - _CLOSE_S:
            self._seek(self._seeks.pop(0).to_s)
        else:
            self._waits_since, self._waits = self._now, self.stalls_s

    def _seek(self, to_s: float) -> None:
        """Jump to the start of the segment at ``to_s``; without a back buffer, everything is fetched anew."""
        start_s = 0.0
        self.number = 0
        while self.number < len(self.segments_s) - 1 and start_s + self.segments_s[self.number] <= to_s:
            start_s += self.segments_s[self.number]
            self.number += 1
        self._head_s = self._buffered_to_s = start_s
        self._waits_since, self._waits = self._now, self.seek_waits_s

    def _end(self, why: str) -> None:
        if self._waits_since is not None:
            waited_s = self._now - self._waits_since
            if self._waits is None:
                self.unstarted_s = waited_s
            else:
                self._waits.append(waited_s)
        self.ending = why
