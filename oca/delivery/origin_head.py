"""What the head of an origin's answer says: whether it is the object, how long, for how long, and its digest. Pure."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

from oca.common.media_types import media_type_of
from oca.delivery.miss_settings import MissTable
from oca.http1.dates import parse_date

Fault = Literal[
    "absent", "refused", "time-out", "unreachable", "stalled", "slow", "short", "too-long", "too-large", "encoded",
    "digest", "device",
]  # fmt: skip
"""Why an object was not brought; the label of a metric."""
FAULTS: tuple[Fault, ...] = Fault.__args__  # type: ignore[attr-defined]

_TYPE = re.compile(r"([a-z]{1,19}/[a-zA-Z0-9.+-]{1,60})[ \t]*(;.*)?")
_DIGEST = re.compile(r"(sha-256|sha-512)=:([A-Za-z0-9+/=]{4,100}):")
_SECONDS = re.compile(r'"?([0-9]{1,10})"?')


class OriginHead(Struct, frozen=True):
    """An answer that brings the object.

    Attributes:
        size: Its length; None: told only by its end.
        fresh_s: For how long it may be kept; 0: not at all.
        digests: Algorithm, as in ``hashlib``, and value, of those that it states.
    """

    size: int | None
    media_type: str
    modified_at_s: int
    fresh_s: int
    digests: tuple[tuple[str, bytes], ...]


def read_head(
    status: int, fields: Mapping[str, str], path: str, *, now_s: float, table: MissTable
) -> OriginHead | Fault:
    """The head of an answer to a GET of ``path``, names of fields in any case; or why it does not bring the object."""
    if status in (404, 410):
        return "absent"
    if status != 200:
        return "refused"
    if fields.get("Content-Encoding", "identity").strip().lower() != "identity":
        return "encoded"
    stated = fields.get("Content-Length")
    if stated is not None and not re.fullmatch(r"[0-9]{1,18}", stated):
        return "refused"
    size = int(stated) if stated is not None else None
    if size is not None and size > table.object_bytes_max:
        return "too-large"
    kind = _TYPE.fullmatch(fields.get("Content-Type", "").strip())
    modified = parse_date(fields.get("Last-Modified", "").encode("latin-1", "replace"))
    return OriginHead(
        size=size,
        media_type=kind[1] if kind is not None else media_type_of(path),
        modified_at_s=max(0, min(modified, int(now_s))) if modified is not None else int(now_s),
        fresh_s=_freshness(fields, table.fresh_s),
        digests=_digests(fields),
    )


def _freshness(fields: Mapping[str, str], unsaid_s: int) -> int:
    """RFC 9111 §4.2.1 for a shared cache; RFC 9213: the targeted field counts alone where there is one."""
    said = fields.get("CDN-Cache-Control", fields.get("Cache-Control", ""))
    rules = dict(_directive(part) for part in said.lower().split(","))
    if not {"no-store", "private", "no-cache"}.isdisjoint(rules) or fields.get("Vary", "").strip() == "*":
        return 0
    age = _SECONDS.fullmatch(fields.get("Age", "0").strip())
    for name in ("s-maxage", "max-age"):
        if name in rules:
            lasts = _SECONDS.fullmatch(rules[name])
            return max(0, int(lasts[1]) - (int(age[1]) if age else 0)) if lasts is not None else 0
    return unsaid_s


def _directive(part: str) -> tuple[str, str]:
    name, _, value = part.partition("=")
    return name.strip(), value.strip()


def _digests(fields: Mapping[str, str]) -> tuple[tuple[str, bytes], ...]:
    """RFC 9530: without content coding and ranges, the digest of content and representation are one."""
    found: dict[str, bytes] = {}
    for field in ("Content-Digest", "Repr-Digest"):
        for algorithm, value in _DIGEST.findall(fields.get(field, "")):
            try:
                found[algorithm.replace("-", "")] = base64.b64decode(value, validate=True)
            except binascii.Error:
                continue
    return tuple(found.items())
