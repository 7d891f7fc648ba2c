"""What a player tells with each request: Common Media Client Data, CTA-5004, as a query parameter. Pure."""

from __future__ import annotations

from urllib.parse import quote

RTP_FACTOR = 5
"""Requested over needed throughput, as dash.js asks."""


def rounded(value: float, to: int) -> int:
    """To the nearest ``to``, as the standard wants of most figures, so that they tell little of one viewer."""
    return round(value / to) * to


def cmcd_query(
    object_type: str,
    *,
    session: str,
    content: str,
    bits_per_s: int = 0,
    top_bits_per_s: int = 0,
    duration_s: float = 0,
    buffered_s: float | None = None,
    throughput_bits_per_s: float = 0,
    is_starved: bool = False,
    is_startup: bool = False,
    next_name: str = "",
) -> str:
    """The query parameter, ``CMCD=…``; what is zero, empty or false is left out, keys in order.

    Args:
        object_type: ``m`` playlist, ``i`` initialisation segment, ``v`` picture, ``a`` sound.
        session: UUID of this playback.
        content: The title.
        bits_per_s: Of the object's rendition.
        top_bits_per_s: Of the highest rung.
        duration_s: Of the segment.
        buffered_s: Buffered ahead; None: this object is not buffered media.
        throughput_bits_per_s: As the player estimates it.
        is_starved: The buffer ran empty since the request before.
        is_startup: Wanted at once: start, seek, or a stall.
        next_name: The object asked for after this one, relative to this one.
    """
    told: dict[str, int | str | bool] = {
        "br": -(-bits_per_s // 1000),
        "bs": is_starved,
        "cid": _string(content),
        "d": round(duration_s * 1000),
        "mtp": rounded(throughput_bits_per_s / 1000, 100),
        "nor": _string(quote(next_name)) if next_name else "",
        "ot": object_type,
        "sf": "h",
        "sid": _string(session),
        "st": "v",
        "su": is_startup,
        "tb": -(-top_bits_per_s // 1000),
    }
    if buffered_s is not None:
        told["bl"] = rounded(buffered_s * 1000, 100)
        needed_kbits_per_s = bits_per_s / 1000 * duration_s / max(buffered_s, duration_s, 1)
        told["rtp"] = max(100, rounded(needed_kbits_per_s * RTP_FACTOR, 100))
    items = (key if value is True else f"{key}={value}" for key, value in sorted(told.items()) if value or key == "bl")
    return "CMCD=" + quote(",".join(items), safe="")


def _string(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
