"""Preconditions of a request (RFC 9110 §13) against the validators of what is stored."""

from __future__ import annotations

import re
from typing import Literal

from oca.http1.dates import parse_date
from oca.http1.request import Fields

Outcome = Literal["proceed", "not-modified", "failed"]

TAGS_MAX = 64
"""Tags read of one list; those beyond count as not listed: a body sent again, or an If-Match that fails, no more."""
_NEXT_TAG = re.compile(rb'[, \t]*(W/)?("[\x21\x23-\x7e\x80-\xff]*")')


def evaluate(fields: Fields, *, etag: bytes, modified_at_s: int) -> Outcome:
    """Evaluate the preconditions of a GET or HEAD in the order of §13.2.2.

    Args:
        fields: The request's.
        etag: The strong entity tag, quotes included.
        modified_at_s: Last-Modified, seconds since 1970.
    """
    if fields.if_match is not None:  # step 1: strong comparison
        if not _lists(fields.if_match, etag, weak=False):
            return "failed"
    elif fields.if_unmodified_since is not None:  # step 2: only without If-Match
        limit_s = parse_date(fields.if_unmodified_since)
        if limit_s is not None and modified_at_s > limit_s:  # §13.1.4: an invalid date is ignored
            return "failed"
    if fields.if_none_match is not None:  # step 3: weak comparison
        return "not-modified" if _lists(fields.if_none_match, etag, weak=True) else "proceed"
    if fields.if_modified_since is not None:  # step 4: only without If-None-Match
        since_s = parse_date(fields.if_modified_since)
        if since_s is not None and modified_at_s <= since_s:  # §13.1.3: an invalid date is ignored
            return "not-modified"
    return "proceed"


def range_applies(fields: Fields, *, etag: bytes, modified_at_s: int) -> bool:
    """Step 5 of §13.2.2: whether Range counts, given If-Range (§13.1.5: strong comparison, or the very date)."""
    if fields.if_range is None:
        return True
    if fields.if_range.startswith((b'"', b"W/")):
        return fields.if_range == etag
    return parse_date(fields.if_range) == modified_at_s


def _lists(value: bytes, etag: bytes, *, weak: bool) -> bool:
    if value.strip() == b"*":  # §13.1.1, §13.1.2: any current representation
        return True
    if etag not in value:  # the usual answer to a list that is long for nothing
        return False
    position = 0
    for _ in range(TAGS_MAX):
        # What is no tag ends the list: nothing after it can be trusted.
        tag = _NEXT_TAG.match(value, position)
        if tag is None:
            return False
        if tag[2] == etag and (weak or tag[1] is None):  # §8.8.3.2
            return True
        position = tag.end()
    return False
