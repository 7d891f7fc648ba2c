"""Whether the box has so much to send that new viewers are better off elsewhere. Pure: time and counts are brought."""

from __future__ import annotations

from oca.delivery.miss_settings import OverloadTable

EASED_RATIO = 0.9
"""New viewers are taken again below this share of a limit; at the limit itself they would come and go by turns."""


class Overload:
    """Observes what the box sends, once a second or so."""

    def __init__(self, table: OverloadTable) -> None:
        self._sends_max = table.sends_max
        self._rate_max = table.rate_bytes_per_s_max
        self._at_s = 0.0
        self._sent_bytes = 0
        self._observed = False
        self.why = ""
        """What is too much, with its limit; empty while new viewers are welcome."""

    @property
    def watches(self) -> bool:
        """Whether there is any limit to observe."""
        return bool(self._sends_max or self._rate_max)

    def observe(self, now_s: float, *, sends: int, sent_bytes: int) -> bool:
        """Take note of the responses on their way and of all bytes sent so far; whether ``why`` came or went."""
        passed_s = now_s - self._at_s
        rate = (sent_bytes - self._sent_bytes) / passed_s if self._observed and passed_s > 0 else 0.0
        self._at_s, self._sent_bytes, self._observed = now_s, sent_bytes, True
        share = EASED_RATIO if self.why else 1.0
        before = bool(self.why)
        self.why = ""
        if self._sends_max and sends > self._sends_max * share:
            self.why = f"{sends} responses are on their way, limit {self._sends_max}"
        elif self._rate_max and rate > self._rate_max * share:
            self.why = f"{rate:.0f} bytes/s are sent, limit {self._rate_max}"
        return bool(self.why) != before
