"""Figures for people: bytes, rates, durations and instants, each with its unit."""

from __future__ import annotations

from datetime import UTC, datetime


def format_bytes(count: float) -> str:
    """``1536`` → ``1.5 KiB``; whole bytes below 1024."""
    if abs(count) < 1024:
        return f"{count:.0f} B"
    for unit in ("KiB", "MiB", "GiB", "TiB"):
        count /= 1024
        if abs(count) < 1024:
            return f"{count:.1f} {unit}"
    return f"{count / 1024:.1f} PiB"


def format_rate(bytes_per_s: float) -> str:
    """Bytes per second as line rate, in bits: ``125_000_000`` → ``1.0 Gb/s``."""
    bits = bytes_per_s * 8
    for unit in ("b/s", "kb/s", "Mb/s"):
        if abs(bits) < 1000:
            return f"{bits:.1f} {unit}"
        bits /= 1000
    return f"{bits:.1f} Gb/s"


def format_instant(at_ns: int) -> str:
    """Nanoseconds since 1970 → ``2026-11-23 05:17:12Z``."""
    return f"{datetime.fromtimestamp(at_ns / 1e9, tz=UTC):%Y-%m-%d %H:%M:%SZ}"


def format_duration(seconds: float) -> str:
    """``5025`` → ``1 h 23 min``; two units at most."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"


def parse_duration(text: str) -> float | None:
    """``90s``, ``15m``, ``1h`` or ``7d`` in seconds; None where it is none of these."""
    number, unit = text[:-1], text[-1:]
    if not (number.isascii() and number.isdigit() and len(number) <= 9) or unit not in _SECONDS:
        return None
    return float(int(number) * _SECONDS[unit])


_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
