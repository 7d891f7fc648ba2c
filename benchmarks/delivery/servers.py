"""The servers that take part: how each is started as its own users would tune it, on the server's core."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from msgspec import Struct

from benchmarks.delivery.material import SIZES, compile_c, paths

ADDRESS = "127.0.0.61"
SERVER_CORE, LOAD_CORE = 0, 1
NGINX_CONF = """
worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log warn;
{user} worker_rlimit_nofile 65536;
events {{ worker_connections 16384; multi_accept on; }}
http {{
  access_log off; sendfile on; tcp_nodelay on; keepalive_requests 1000000000; keepalive_timeout 75s; etag on;
  open_file_cache max=4096 inactive=600s; open_file_cache_valid 600s; open_file_cache_min_uses 1;
  types {{ video/iso.segment m4s; }}
  client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
  uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
  add_header Access-Control-Allow-Origin *; add_header Timing-Allow-Origin *;
  add_header Access-Control-Expose-Headers "Content-Length, Content-Range, Date, ETag, Last-Modified";
  add_header Cache-Control "public, max-age=86400";
  ssl_certificate {folder}/bench.crt; ssl_certificate_key {folder}/bench.key;
  ssl_protocols TLSv1.2 TLSv1.3; ssl_session_cache shared:s:1m; ssl_buffer_size 16k;
  server {{ listen {address}:{plain}; root {root}; tcp_nopush off; }}
  server {{ listen {address}:{nopush}; root {root}; tcp_nopush on; }}
  server {{ listen {address}:{tls} ssl; root {root}; tcp_nopush off; }}
{more}}}
"""
H2O_CONF = """
listen: {{host: {address}, port: {port}}}
num-threads: 1
error-log: {folder}/h2o.log
hosts:
  default:
    paths:
      /: {{file.dir: {root}, header.set: "Access-Control-Allow-Origin: *"}}
"""
ATS_RECORDS = """
CONFIG proxy.config.http.server_ports STRING {port}:ip-in={address}
CONFIG proxy.config.admin.user_id STRING trafficserver
CONFIG proxy.config.exec_thread.autoconfig INT 0
CONFIG proxy.config.exec_thread.limit INT 1
CONFIG proxy.config.accept_threads INT 0
CONFIG proxy.config.url_remap.remap_required INT 1
CONFIG proxy.config.log.logging_enabled INT 0
CONFIG proxy.config.cache.ram_cache.size INT 1G
CONFIG proxy.config.cache.ram_cache_cutoff INT 32M
CONFIG proxy.config.http.cache.required_headers INT 0
"""


class Peer(Struct, frozen=True):
    """One server as the load sees it, with the processes whose CPU and memory are its own."""

    name: str
    port: int
    pids: tuple[int, ...]
    scheme: str = "http"
    prefix: str = ""
    """Stands before each path: a token's element."""


def children(pid: int) -> list[int]:
    """Processes that ``pid`` started, however deep."""
    own = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return own + [deeper for child in own for deeper in children(child)]


@contextlib.asynccontextmanager
async def running(argv: Sequence[str], port: int, **environment: str) -> AsyncIterator[int]:
    """A server's main process on the server's core, once its port takes connections; ended afterwards, by the kernel
    if nobody else does.
    """
    with contextlib.suppress(OSError), socket.create_connection((ADDRESS, port), timeout=1):
        raise SystemExit(f"something listens on {ADDRESS}:{port}; is another benchmark running?")
    process = await asyncio.create_subprocess_exec(
        *("setpriv", "--pdeathsig", "TERM", "taskset", "-c", str(SERVER_CORE), *argv),
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(200):
            if process.returncode is not None:
                raise SystemExit(f"{argv[0]} did not start")
            with contextlib.suppress(OSError), socket.create_connection((ADDRESS, port), timeout=1):
                break
            await asyncio.sleep(0.05)
        else:
            raise SystemExit(f"{argv[0]} does not listen on {ADDRESS}:{port}")
        yield process.pid
    finally:
        if process.returncode is None:
            process.terminate()
        try:
            async with asyncio.timeout(10):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


@contextlib.asynccontextmanager
async def nginx(folder: Path, port: int, more: str = "") -> AsyncIterator[list[Peer]]:
    """Debian's nginx, one worker, plain with and without tcp_nopush, and with TLS, at ``port`` and the two after it;
    ``more``: server blocks beside them.
    """
    conf = folder / "nginx.conf"
    user = "user root;" if os.geteuid() == 0 else ""
    ports = {"plain": port, "nopush": port + 1, "tls": port + 2}
    root = folder / "www"
    conf.write_text(NGINX_CONF.format(folder=folder, root=root, address=ADDRESS, user=user, more=more, **ports))
    async with running(["nginx", "-c", str(conf), "-p", str(folder)], port) as pid:
        worker: tuple[int, ...] = ()
        for _ in range(200):  # the main process listens before it has its worker
            worker = tuple(children(pid))
            if worker:
                break
            await asyncio.sleep(0.05)
        yield [
            Peer("nginx", port, worker),
            Peer("nginx nopush", port + 1, worker),
            Peer("nginx tls", port + 2, worker, "https"),
        ]


@contextlib.asynccontextmanager
async def floor(folder: Path, port: int) -> AsyncIterator[Peer]:
    """The least that a server must do, in C."""
    program = compile_c(folder, "floor")
    files = [path for size in SIZES for path in paths(size)]
    async with running([str(program), ADDRESS, str(port), str(folder / "www"), *files], port) as pid:
        yield Peer("floor", port, (pid,))


@contextlib.asynccontextmanager
async def file_response(folder: Path, port: int) -> AsyncIterator[Peer]:
    """aiohttp's FileResponse on uvloop."""
    argv = [sys.executable, "-m", "benchmarks.delivery.file_response", ADDRESS, str(port), str(folder / "www")]
    async with running(argv, port) as pid:
        yield Peer("aiohttp", port, (pid,))


@contextlib.asynccontextmanager
async def h2o(folder: Path, port: int) -> AsyncIterator[Peer]:
    """h2o serving the same files."""
    conf = folder / "h2o.yaml"
    conf.write_text(H2O_CONF.format(folder=folder, root=folder / "www", address=ADDRESS, port=port))
    async with running(["h2o", "-c", str(conf)], port) as pid:
        yield Peer("h2o", port, (pid, *children(pid)))


@contextlib.asynccontextmanager
async def varnish(folder: Path, port: int, origin: int) -> AsyncIterator[Peer]:
    """Varnish, with everything in its memory after the first request to nginx at ``origin``."""
    argv = ["varnishd", "-F", "-a", f"{ADDRESS}:{port}", "-b", f"{ADDRESS}:{origin}", "-n", str(folder / "varnish")]
    argv += ["-s", "malloc,1G", "-p", "thread_pools=1", "-p", "default_ttl=3600"]
    async with running(argv, port) as pid:
        yield Peer("varnish", port, (pid, *children(pid)))


@contextlib.asynccontextmanager
async def trafficserver(folder: Path, port: int, origin: int) -> AsyncIterator[Peer]:
    """Apache Traffic Server, with everything in its RAM cache after the first requests to nginx at ``origin``."""
    home = _ats_home(folder / "ats", port, origin)
    async with running(["traffic_server"], port, TS_RUNROOT=str(home / "runroot.yaml")) as pid:
        yield Peer("trafficserver", port, (pid, *children(pid)))


def _ats_home(home: Path, port: int, origin: int) -> Path:
    for name in ("run", "log", "cache"):
        (home / name).mkdir(parents=True)
    shutil.copytree("/etc/trafficserver", home / "etc")
    places = {"prefix": "/usr", "exec_prefix": "/usr", "bindir": "/usr/bin", "sbindir": "/usr/sbin"}
    places |= {"datadir": "/usr/share/trafficserver", "libdir": "/usr/lib/trafficserver", "includedir": "/usr/include"}
    places |= {"libexecdir": "/usr/lib/trafficserver/modules", "sysconfdir": f"{home}/etc", "cachedir": f"{home}/cache"}
    places |= {"localstatedir": f"{home}/run", "runtimedir": f"{home}/run", "logdir": f"{home}/log"}
    places |= {"mandir": "/usr/share/man", "infodir": "/usr/share/info"}
    (home / "runroot.yaml").write_text("".join(f"{name}: {place}\n" for name, place in places.items()))
    (home / "etc" / "records.config").write_text(ATS_RECORDS.format(address=ADDRESS, port=port))
    (home / "etc" / "storage.config").write_text(f"{home}/cache 1G\n")
    (home / "etc" / "remap.config").write_text(f"map http://{ADDRESS}:{port}/ http://{ADDRESS}:{origin}/\n")
    subprocess.run(["chmod", "-R", "a+rwX", str(home)], check=True)  # it gives root up
    return home
