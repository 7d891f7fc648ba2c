"""One worker's service in this process, over a real store and real sockets."""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Sequence
from pathlib import Path

from oca.delivery.acceptor import Acceptor
from oca.delivery.counters import Page
from oca.delivery.handshakes import Handshakes
from oca.delivery.metrics import DELIVERY_SLOTS
from oca.delivery.service import Service
from oca.delivery.session import Session
from oca.delivery.settings import DeliveryTable
from oca.delivery.tls_material import Material
from oca.store.importing import describe_folder, import_folder
from oca.store.reader import StoreReader
from oca.store.store import Store

LARGE_BYTES = 24 * 2**20
"""More than a socket pair takes at once, so that sending it has to wait for the reader."""
SMALL = b"#EXTM3U\n" * 16
CONTENT = {"small.m3u8": SMALL, "large.m4s": bytes(range(256)) * (LARGE_BYTES // 256), "empty.vtt": b""}


def store_of(folder: Path, content: dict[str, bytes], *, asset: str = "harbour/v", mount: str = "/h") -> Path:
    """A device that holds ``content`` as one asset."""
    source, device = folder / "source", folder / "device"
    source.mkdir()
    device.mkdir()
    for name, data in content.items():
        (source / name).write_bytes(data)
    store = Store.open([device])
    manifest, files = describe_folder(source, asset=asset, mount=mount)
    import_folder(store, manifest, files)
    store.close()
    return device


class Bench:
    """One service behind one listening socket, as a worker has it."""

    def __init__(
        self,
        device: Path,
        settings: DeliveryTable,
        more_devices: Sequence[Path] = (),
        material: Material | None = None,
    ) -> None:
        self.page = Page.create()
        self._clients: list[asyncio.StreamWriter] = []
        self.device = device
        loop = asyncio.get_running_loop()
        self.service = Service(loop, settings, self.page.counts, lambda: StoreReader.open([device, *more_devices]))
        self.service.start()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = self.listener.getsockname()
        self.handshakes = Handshakes(self.service, material) if material is not None else None
        self.acceptor = Acceptor(self.listener, self.service, self.handshakes.begin if self.handshakes else Session)

    def count(self, key: str) -> int:
        return self.page.counts[DELIVERY_SLOTS[key]]

    async def connect(
        self, *, receive_bytes: int = 0, source: str = ""
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        client = socket.socket()
        if source:
            client.bind((source, 0))
        if receive_bytes:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        client.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(client, self.address)
            reader, writer = await asyncio.open_connection(sock=client, limit=2**16)
        except OSError:
            client.close()
            raise
        self._clients.append(writer)
        return reader, writer

    async def close(self) -> None:
        for client in self._clients:
            client.close()
            with contextlib.suppress(OSError):
                await client.wait_closed()
        self.acceptor.close()
        self.service.close()
        self.page.close()


Benches = Callable[..., Bench]


async def read_reply(reader: asyncio.StreamReader, *, bodiless: bool = False) -> tuple[int, dict[str, str], bytes]:
    """Status, fields and body of the next response."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode().removesuffix("\r\n\r\n").split("\r\n")
    fields = dict(line.split(": ", 1) for line in head[1:])
    length = 0 if bodiless else int(fields.get("Content-Length", "0"))
    return int(head[0].split(" ")[1]), fields, await reader.readexactly(length)
