"""The console's files as they lie in oca/admin/page_files, under a strict Content-Security-Policy."""

from __future__ import annotations

from pathlib import Path

from aiohttp import web

from oca.common.problem import Refusal

PAGE = Path(__file__).parent / "page_files"
TYPES = {
    "index.html": "text/html",
    "console.js": "text/javascript",
    "chart.js": "text/javascript",
    "style.css": "text/css",
}
"""Every file there is, with its media type: nothing else is looked for."""
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


def wants_page(request: web.Request) -> bool:
    """Whether a browser asks, by what it takes first."""
    return request.headers.get("Accept", "").startswith("text/html")


def page_file(name: str) -> web.Response:
    """One file of the console.

    Raises:
        Refusal: There is none of that name.
    """
    if name not in TYPES:
        raise Refusal(404, "The console has no such file")
    return web.Response(body=(PAGE / name).read_bytes(), content_type=TYPES[name], charset="utf-8", headers=HEADERS)
