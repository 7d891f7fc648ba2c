"""aiohttp's FileResponse on uvloop, the usual way to serve files in Python: what the delivery worker is instead of."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import uvloop
from aiohttp import web


async def serve(address: str, port: int, root: Path) -> None:
    """Serve what is under ``root`` until ended."""

    async def send(request: web.Request) -> web.FileResponse:
        return web.FileResponse(root / "bench" / Path(request.match_info["name"]).name)

    app = web.Application()
    app.router.add_get("/bench/{name}", send)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, address, port).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]).resolve()))
