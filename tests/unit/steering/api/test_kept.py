from __future__ import annotations

import asyncio
import threading

import pytest

import steering.api.kept as kept_module
from steering.api.kept import KEEP_S, Kept, KeptBody


async def test_kept_body_is_built_once_however_many_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(kept_module, "monotonic_s", lambda: now[0])
    threads: list[int] = []

    def build() -> bytes:
        threads.append(threading.get_ident())
        return b"%d" % len(threads)

    kept = KeptBody(build)
    assert await asyncio.gather(*(kept.body() for _ in range(5))) == [b"1"] * 5
    now[0] += KEEP_S - 0.01
    assert await kept.body() == b"1"
    now[0] += 0.01
    assert await kept.body() == b"2"
    assert threading.get_ident() not in threads


async def test_kept_body_is_built_again_after_a_fault() -> None:
    results: list[bytes | Exception] = [RuntimeError("no"), b"body"]

    def build() -> bytes:
        result = results.pop(0)
        if isinstance(result, Exception):
            raise result
        return result

    kept = KeptBody(build)
    with pytest.raises(RuntimeError):
        await kept.body()
    assert await kept.body() == b"body"


async def test_kept_value_lasts_as_long_as_it_was_asked_to(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(kept_module, "monotonic_s", lambda: now[0])
    made = iter(range(3))
    kept = Kept(lambda: next(made), keep_s=30.0)
    assert await kept.value() == 0
    now[0] += 29.9
    assert await kept.value() == 0
    now[0] += 0.2
    assert await kept.value() == 1
