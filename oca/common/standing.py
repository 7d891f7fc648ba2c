"""How steering judges an appliance, in one word: for its answers, its metrics and those of the box. Pure."""

from __future__ import annotations

from typing import Literal

Standing = Literal["up", "draining", "drained", "failed", "gone", "unknown", "unreachable", "turning-up", "returning"]
