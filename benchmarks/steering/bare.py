"""The least that aiohttp on uvloop does for an answer, to compare with."""

from __future__ import annotations

import asyncio
import sys

import uvloop
from aiohttp import web


async def answer(request: web.Request) -> web.Response:
    await request.read()
    return web.Response(body=b'{"title":"t1"}', content_type="application/json")


async def serve(host: str, port: int) -> None:
    app = web.Application()
    app.router.add_post("/v1/playback", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, host, port).start()
    print("serving", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    address, _, number = sys.argv[1].partition(":")
    uvloop.run(serve(address, int(number)))
