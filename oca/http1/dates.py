"""HTTP dates (RFC 9110 §5.6.7): written in one form, read in three."""

from __future__ import annotations

import calendar
import re
from functools import lru_cache

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_LONG_DAYS = "Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday"
_CLOCK = r"(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)"
_FORMS = (
    re.compile(
        rf"(?:{'|'.join(_DAYS)}), (?P<day>\d\d) (?P<month>[A-Z][a-z]{{2}}) (?P<year>\d{{4}}) {_CLOCK} GMT", re.ASCII
    ),
    re.compile(rf"(?:{_LONG_DAYS}), (?P<day>\d\d)-(?P<month>[A-Z][a-z]{{2}})-(?P<year>\d\d) {_CLOCK} GMT", re.ASCII),
    re.compile(
        rf"(?:{'|'.join(_DAYS)}) (?P<month>[A-Z][a-z]{{2}}) (?P<day>[ \d]\d) {_CLOCK} (?P<year>\d{{4}})", re.ASCII
    ),
)
DATE_BYTES_MAX = 40
"""The longest form has 33."""
_DAY_S = 86400


def format_date(at_s: int) -> str:
    """Seconds since 1970 as an IMF-fixdate, whatever the locale."""
    days, rest = divmod(at_s, _DAY_S)
    year, month, day = _civil(days)
    clock = f"{rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02}"
    return f"{_DAYS[(days + 3) % 7]}, {day:02} {_MONTHS[month - 1]} {year:04} {clock} GMT"


def parse_date(value: bytes) -> int | None:
    """Seconds since 1970 of a date in any of the three forms; None for anything else, which callers ignore."""
    return _parse(value) if len(value) <= DATE_BYTES_MAX else None  # what is no date is not worth its memory


@lru_cache(maxsize=1024)
def _parse(value: bytes) -> int | None:
    text = value.decode("latin-1")
    for form in _FORMS:
        match = form.fullmatch(text)
        if match is not None:
            return _instant(match)
    return None


def _instant(match: re.Match[str]) -> int | None:
    if match["month"] not in _MONTHS:
        return None
    month = _MONTHS.index(match["month"]) + 1
    year = int(match["year"])
    if len(match["year"]) == 2:
        # RFC 9110 §5.6.7 reads a two-digit year that looks over 50 years ahead as the past: 70 parts them.
        year += 1900 if year >= 70 else 2000
    day, hour, minute, second = (int(match[part]) for part in ("day", "hour", "minute", "second"))
    if year < 1 or not 1 <= day <= calendar.monthrange(year, month)[1]:
        return None
    if hour > 23 or minute > 59 or second > 60:
        return None
    return calendar.timegm((year, month, day, hour, minute, second))


def _civil(days: int) -> tuple[int, int, int]:
    """Year, month, day of a day counted from 1970 (Hinnant, "chrono-compatible low-level date algorithms")."""
    era, of_era = divmod(days + 719468, 146097)
    year_of_era = (of_era - of_era // 1460 + of_era // 36524 - of_era // 146096) // 365
    of_year = of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted = (5 * of_year + 2) // 153
    day = of_year - (153 * shifted + 2) // 5 + 1
    month = shifted + 3 if shifted < 10 else shifted - 9
    return year_of_era + era * 400 + (month <= 2), month, day
