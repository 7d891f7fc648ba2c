"""Certificates made on the spot, and real TLS clients for them."""

import asyncio
import datetime
import ipaddress
import socket
import ssl
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes

from oca.common import clock
from oca.delivery.tls_settings import CertificateTable

DAY_S = 86400


def issue(
    folder: Path,
    stem: str,
    names: Sequence[str],
    *,
    days: float = 90,
    began_days_ago: float = 1,
    key: CertificateIssuerPrivateKeyTypes | None = None,
) -> CertificateTable:
    """Write ``stem``.pem and ``stem``.key: a certificate that signs itself, for ``names`` (host names or addresses)."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, stem)])
    now = datetime.datetime.fromtimestamp(clock.now_s(), datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=began_days_ago))
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName([_general(name) for name in names]), critical=False)
    table = CertificateTable(chain_file=str(folder / f"{stem}.pem"), key_file=str(folder / f"{stem}.key"))
    Path(table.chain_file).write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    Path(table.key_file).touch(mode=0o600)
    Path(table.key_file).write_bytes(key.private_bytes(*form))
    return table


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def trusting(*tables: CertificateTable, version: ssl.TLSVersion | None = None) -> ssl.SSLContext:
    """A client that trusts those certificates, and speaks one version alone if told."""
    client = ssl.create_default_context()
    for table in tables:
        client.load_verify_locations(table.chain_file)
    client.set_alpn_protocols(["h2", "http/1.1"])
    if version is not None:
        client.minimum_version = client.maximum_version = version
    return client


class Viewer:
    """A blocking client, to be driven in a thread: ``ssl`` tells of sessions, alerts and record ends there."""

    def __init__(
        self,
        address: tuple[str, int],
        context: ssl.SSLContext,
        *,
        name: str = "a.test",
        session: ssl.SSLSession | None = None,
        receive_bytes: int = 0,
    ) -> None:
        raw = socket.socket()
        raw.settimeout(20)
        if receive_bytes:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        try:
            raw.connect(address)
            self.socket = context.wrap_socket(raw, server_hostname=name, session=session)
        except BaseException:
            raw.close()
            raise
        self._file = self.socket.makefile("rb")

    def ask(self, path: str, *fields: str, method: str = "GET") -> None:
        head = "\r\n".join([f"{method} {path} HTTP/1.1", "Host: a.test", *fields, "", ""])
        self.socket.sendall(head.encode())

    def reply(self) -> tuple[int, dict[str, str], bytes]:
        status = int(self._file.readline().split()[1])
        fields = {}
        while line := self._file.readline().strip().decode():
            key, _, value = line.partition(": ")
            fields[key] = value
        return status, fields, self._file.read(int(fields.get("Content-Length", "0")))

    def get(self, path: str, *fields: str) -> tuple[int, dict[str, str], bytes]:
        self.ask(path, *fields)
        return self.reply()

    def at_end(self) -> bool:
        """Whether the server has said goodbye (close_notify), not just hung up."""
        self.socket.suppress_ragged_eofs = False  # type: ignore[attr-defined]
        return self._file.read(1) == b""

    def is_cut(self) -> bool:
        """Whether what follows ends without a goodbye."""
        self.socket.suppress_ragged_eofs = False  # type: ignore[attr-defined]
        try:
            while self.socket.recv(65536):
                pass
        except (ConnectionResetError, ssl.SSLEOFError):
            return True
        return False

    def close(self) -> None:
        self._file.close()
        self.socket.close()


async def viewer(address: tuple[str, int], context: ssl.SSLContext, **more: object) -> Viewer:
    return await asyncio.to_thread(Viewer, address, context, **more)  # type: ignore[arg-type]
