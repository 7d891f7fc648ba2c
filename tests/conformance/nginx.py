"""A real nginx of Debian with one worker, serving a folder."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from oca.common import media_types
from tests.conformance.wire import Address
from tests.waiting import WAIT_S

_CONF = """
worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log crit; {user}
events {{ worker_connections 512; }}
http {{
  access_log off; sendfile on; etag on; if_modified_since before;
  client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
  uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
  types {{ {types} }}
  server {{ listen {address}:{port}; root {root}; }}
}}
"""


@contextlib.contextmanager
def nginx_serving(root: Path, folder: Path, host: str) -> Iterator[Address]:
    """nginx on a free port of ``host``, ended afterwards."""
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    with socket.create_server((host, 0)) as free:
        port = free.getsockname()[1]
    types = "".join(f"{kind} {suffix};" for suffix, kind in media_types.BY_SUFFIX.items())
    conf = folder / "nginx.conf"
    user = "user root;" if os.geteuid() == 0 else ""
    conf.write_text(_CONF.format(folder=folder, root=root, address=host, port=port, types=types, user=user))
    process = subprocess.Popen([program, "-c", str(conf), "-p", str(folder)], stderr=subprocess.PIPE)
    try:
        _wait(process, (host, port))
        yield host, port
    finally:
        process.terminate()
        process.communicate(timeout=WAIT_S)


def version() -> str:
    """Such as ``1.22.1``."""
    said = subprocess.run(
        [shutil.which("nginx") or "/usr/sbin/nginx", "-v"], capture_output=True, text=True, check=True
    )
    return said.stderr.strip().rpartition("/")[2]


def _wait(process: subprocess.Popen[bytes], address: Address) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(address, timeout=1).close()
        except OSError:
            assert process.poll() is None, f"nginx did not start: {process.communicate()[1].decode()}"
            assert time.monotonic() < deadline, "nginx does not answer"
            time.sleep(0.02)
        else:
            return
