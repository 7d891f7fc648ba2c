"""Puts names that exist in every other case that schemathesis makes: nearly all others would end at "no such thing"."""

from __future__ import annotations

from typing import Any
from zlib import crc32

import schemathesis

KNOWN = {
    "appliance": "metro-a",
    "site": "metro",
    "title": "harbour",
    "asset": "harbour/video-240p",
    "path": "harbour/seg-0-00001.m4s",
    "name": "app.js",
    "client": "198.51.100.7",
}


@schemathesis.hook
def before_call(context: schemathesis.HookContext, case: schemathesis.Case[Any], kwargs: dict[str, Any]) -> None:
    """Chosen by the case itself, so that the same seed asks the same."""
    del context, kwargs
    places: tuple[Any, ...] = (case.path_parameters, case.query, case.body)
    for place in places:
        for name in sorted(KNOWN.keys() & place.keys()) if isinstance(place, dict) else ():
            if crc32(repr(place[name]).encode(errors="replace")) % 2:
                place[name] = KNOWN[name]
