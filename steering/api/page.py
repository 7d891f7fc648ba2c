"""The page: its files as they lie in steering/page, under a strict Content-Security-Policy."""

from __future__ import annotations

import re
from pathlib import Path

from aiohttp import web

from oca.common.digest import digest_hex
from oca.common.media_types import media_type_of
from oca.common.problem import Refusal
from steering.api.endpoints import endpoint

PAGE = Path(__file__).parent.parent / "page"
FILE_BYTES_MAX = 16 * 2**20
# Segments and playlists come from appliances and origins of any name; hls.js works in a blob worker and feeds the
# video by a blob.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self' data: http: https:; "
    "connect-src 'self' http: https:; media-src 'self' blob: http: https:; worker-src 'self' blob:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
CONSOLE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
"""The fleet console asks steering alone; only its player asks appliances, and is a page of its own."""
PAGES = ("/", "/console", "/console/player")
_SCRIPT = "text/javascript"
_TYPES = {".html": "text/html", ".js": _SCRIPT, ".mjs": _SCRIPT, ".css": "text/css", ".map": "application/json"}
_PLAYER_REMEDY = (
    "in a checkout run 'make setup', which fetches the player; an installed wheel was built without it: 'make wheel' "
    "builds one with it"
)
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,100}(/[A-Za-z0-9_-][A-Za-z0-9._-]{0,100}){0,3}")


class Page:
    """The page's endpoints over the files in ``folder``."""

    def __init__(self, folder: Path = PAGE) -> None:
        self._folder = folder

    @endpoint("GET", "/", gives="text/html")
    async def index(self, request: web.Request) -> web.Response:
        """The page for people."""
        return _file(request, self._folder, "index.html")

    @endpoint("GET", "/console", gives="text/html")
    async def console(self, request: web.Request) -> web.Response:
        """The fleet console, for operators."""
        return _file(request, self._folder, "console/index.html", policy=CONSOLE_POLICY)

    @endpoint("GET", "/console/player", gives="text/html")
    async def player(self, request: web.Request) -> web.Response:
        """A page that plays a title from one appliance, to try it."""
        return _file(request, self._folder, "console/player.html")

    @endpoint("GET", "/page/{name:.+}", gives="*/*", refuses=(404,))
    async def part(self, request: web.Request) -> web.Response:
        """A file of the page."""
        return _file(request, self._folder, request.match_info["name"])

    @endpoint("GET", "/vendor/{name:.+}", gives="*/*", refuses=(404,))
    async def vendor(self, request: web.Request) -> web.Response:
        """A file of the page's player."""
        return _file(request, self._folder / "vendor", request.match_info["name"])


def login_page(folder: Path = PAGE) -> web.Response:
    """What asks for name and password, in place of the page."""
    headers = {"Content-Security-Policy": CONTENT_SECURITY_POLICY, "Cache-Control": "no-store"}
    body = (folder / "login.html").read_bytes()
    return web.Response(status=401, body=body, content_type="text/html", charset="utf-8", headers=headers)


def _file(request: web.Request, folder: Path, name: str, *, policy: str = CONTENT_SECURITY_POLICY) -> web.Response:
    path = folder / name
    if not _NAME.fullmatch(name) or not path.is_file() or path.stat().st_size > FILE_BYTES_MAX:
        remedy = _PLAYER_REMEDY if folder.name == "vendor" else ""
        raise Refusal(404, "The page has no such file", remedy=remedy)
    body = path.read_bytes()
    headers = {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-cache",
        "ETag": f'"{digest_hex(body)}"',
    }
    if headers["ETag"] in request.headers.get("If-None-Match", ""):
        return web.Response(status=304, headers=headers)
    media_type = _TYPES.get(path.suffix) or media_type_of(name)
    charset = "utf-8" if media_type.startswith("text/") else None
    return web.Response(body=body, content_type=media_type, charset=charset, headers=headers)
