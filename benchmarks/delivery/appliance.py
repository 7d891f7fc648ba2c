"""Our delivery worker in the benchmark: with everything switched on, and as it comes."""

from __future__ import annotations

import base64
import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

from benchmarks.delivery.servers import ADDRESS, SERVER_CORE, Peer
from oca.common.clock import now_s
from oca.common.jwk import Jwk
from oca.common.keyring import KeyRing
from oca.common.signing import Claims, sign
from oca.delivery.access_log_settings import AccessLogTable
from oca.delivery.authorisation import Authorisation
from oca.delivery.authorisation_settings import AuthorisationTable
from oca.delivery.settings import DeliveryTable
from oca.delivery.supervisor import Supervisor
from oca.delivery.tls_settings import CertificateTable, TlsTable

_KEY = Jwk(kty="oct", kid="bench", alg="HS256", k=base64.urlsafe_b64encode(b"benchmark" * 4).decode())


def token() -> str:
    """A token good for everything that is served here, for an hour."""
    ring = KeyRing()
    ring.add([_KEY], source="benchmark")
    return sign(Claims(cdniuc="regex:/bench/.*", exp=now_s() + 3600), ring.signing[_KEY.kid])


@contextlib.asynccontextmanager
async def appliance(name: str, device: Path, settings: DeliveryTable, *, pinned: bool = True) -> AsyncIterator[Peer]:
    """The workers of ``settings``, the first on the server's core where ``pinned``."""
    supervisor = Supervisor(settings, [device], appliance="bench")
    supervisor.authorise(Authorisation(keys=(_KEY,)))
    await supervisor.start()
    try:
        pids = tuple(worker.pid for worker in supervisor.workers())
        if pinned:
            os.sched_setaffinity(pids[0], {SERVER_CORE})
        address = (*settings.listen, *settings.tls.listen)[0]
        signed = settings.authorisation.mode == "required"
        scheme = "http" if settings.listen else "https"
        yield Peer(name, int(address.rpartition(":")[2]), pids, scheme, f"/t/{token()}" if signed else "")
        sent = supervisor.counters()
        plain = sent["delivery_sendfile_bytes"] + sent["delivery_small_sent_bytes"]
        if settings.listen and plain != sent["delivery_sent_bytes"]:
            raise SystemExit("not every body left by sendfile or, if small, from memory")
    finally:
        await supervisor.stop(1)


def everything(port: int, folder: Path, **more: object) -> DeliveryTable:
    """Tokens required, every request in the access log, counters, histograms, limits."""
    log = AccessLogTable(path=str(folder / f"access-{port}.log"))
    return as_it_comes(port, authorisation=AuthorisationTable(mode="required"), access_log=log, **more)


def secure(port: int, folder: Path) -> DeliveryTable:
    """The same over TLS, encrypted in the worker as nginx encrypts in its own."""
    pair = CertificateTable(chain_file=str(folder / "bench.crt"), key_file=str(folder / "bench.key"))
    tls = TlsTable(listen=(f"{ADDRESS}:{port}",), certificates=(pair,), kernel="off")
    return everything(port, folder, listen=(), tls=tls)


def as_it_comes(port: int, **more: object) -> DeliveryTable:
    """The defaults; the load comes from one address, which may have as many connections as it likes."""
    settings: dict[str, object] = {"listen": (f"{ADDRESS}:{port}",), "workers": 1, **more}
    return DeliveryTable(connections_per_client_max=100_000, **settings)  # type: ignore[arg-type]
