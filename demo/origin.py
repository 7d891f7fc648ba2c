"""The demo's origin: any HTTP server with Range support would do; this one serves a folder, with CORS for players.

It counts how often it sends each path: the demo shows that nobody asks it for a segment while films play.
Run as ``python -m demo.origin --folder DIR --listen 127.0.0.10:8070``.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections import Counter
from pathlib import Path

from aiohttp import web

from oca.common.media_types import media_type_of
from oca.http1.ranges import ByteRange, select_ranges

CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "Content-Length, Content-Range, Date",
    "Timing-Allow-Origin": "*",
    "Accept-Ranges": "bytes",
}


def make_app(folder: Path) -> web.Application:
    """Serves the files below ``folder``, and ``/-/sent``: path → how often it was sent so far, as JSON."""
    root = folder.resolve()
    sent: Counter[str] = Counter()

    async def serve(request: web.Request) -> web.Response:
        file = (root / request.match_info["path"]).resolve()
        if not file.is_relative_to(root) or not file.is_file():
            return web.Response(status=404, text="no such object\n", headers=CORS)
        size = file.stat().st_size
        asked = request.headers.get("Range", "").encode("latin-1", "replace")
        chosen = select_ranges(asked, size, ranges_max=1)
        if chosen == "unsatisfiable":
            return web.Response(status=416, headers=CORS | {"Content-Range": f"bytes */{size}"})
        whole = chosen == "whole" or request.method == "HEAD"
        part = ByteRange(0, size) if chosen == "whole" or whole else chosen[0]
        headers = dict(CORS)
        if not whole:
            headers["Content-Range"] = f"bytes {part.first}-{part.first + part.length - 1}/{size}"
        body = await asyncio.to_thread(_read, file, part)
        if request.method == "GET":
            sent[request.path] += 1
        return web.Response(
            status=200 if whole else 206, body=body, content_type=media_type_of(file.name), headers=headers
        )

    async def tell(_: web.Request) -> web.Response:
        return web.json_response(sent, headers=CORS)

    async def preflight(_: web.Request) -> web.Response:
        return web.Response(status=204, headers=CORS | {"Access-Control-Allow-Headers": "Range"})

    app = web.Application()
    app.router.add_get("/-/sent", tell)
    app.router.add_get("/{path:.*}", serve)
    app.router.add_options("/{path:.*}", preflight)
    return app


def _read(file: Path, part: ByteRange) -> bytes:
    with file.open("rb") as opened:
        return os.pread(opened.fileno(), part.length, part.first)


def main() -> int:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m demo.origin", description="Serve a folder as an origin.")
    parser.add_argument("--folder", type=Path, required=True, help="the folder to serve")
    parser.add_argument("--listen", required=True, metavar="ADDRESS:PORT")
    options = parser.parse_args()
    host, _, port = options.listen.rpartition(":")
    try:
        web.run_app(make_app(options.folder), host=host, port=int(port), print=None, access_log=None)
    except OSError as error:
        print(f"origin: cannot listen on {options.listen}: {error.strerror}; free that address", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
