"""The ``SSLContext`` of each certificate, and which one a client gets."""

from __future__ import annotations

import ssl

from oca.common.errors import ConfigError
from oca.delivery import kernel_tls, tickets
from oca.delivery.tls_connection import TlsConnection
from oca.delivery.tls_material import Material, Pair
from oca.delivery.tls_settings import TlsTable

CIPHERS_1_2 = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""Forward secret and authenticated (RFC 9325 §4.2), and known to kernel TLS; those of TLS 1.3 all are."""
_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


class Contexts:
    """Server contexts by host name."""

    def __init__(self, settings: TlsTable, material: Material) -> None:
        """Read certificates and keys.

        Raises:
            ConfigError: OpenSSL refuses one.
        """
        self._named: dict[str, ssl.SSLContext] = {}
        made = [_context(pair, settings, material) for pair in material.pairs]
        self.default = made[0]
        """What a handshake begins with; the client's hello may choose another."""
        for pair, context in zip(material.pairs, made, strict=True):
            for name in pair.names:
                self._named.setdefault(name, context)
        self._made = made
        if len(made) > 1:
            self.default.sni_callback = self._choose

    def set_ticket_keys(self, keys: bytes) -> bool:
        """Use ``keys`` from now on; False where that cannot be done."""
        return all(tickets.set_keys(context, keys) for context in self._made)

    def of(self, name: str) -> ssl.SSLContext:
        """The context for a host name: its own certificate, a wildcard (RFC 9525 §6.3), or the default."""
        name = name.lower().rstrip(".")
        wild = f"*.{name.partition('.')[2]}"
        return self._named.get(name) or self._named.get(wild) or self.default

    def _choose(self, connection: ssl.SSLObject | ssl.SSLSocket, name: str | None, _: ssl.SSLContext) -> None:
        """Server Name Indication (RFC 6066 §3); a name that is not ours is no error: players come by address, too."""
        if name is not None:
            connection.context = self.of(name)


def _context(pair: Pair, settings: TlsTable, material: Material) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.sslsocket_class = TlsConnection
    context.minimum_version = _VERSIONS[settings.version_min]
    context.set_ciphers(CIPHERS_1_2)
    context.set_alpn_protocols(["http/1.1"])
    context.options |= ssl.OP_NO_RENEGOTIATION
    # All that is left is sound, so that the client's order counts: it knows whether its hardware has AES.
    context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    if material.kernel:
        context.options |= kernel_tls.OPTION
    try:
        context.load_cert_chain(pair.chain_file, pair.key_file, password=_no_passphrase)
    except (ssl.SSLError, OSError, ValueError) as error:
        why = error.reason if isinstance(error, ssl.SSLError) else str(error)
        raise ConfigError(
            f"{pair.chain_file} with {pair.key_file}: OpenSSL refuses them: {why}",
            remedy="have the certificate issued anew for a P-256 key, or RSA of 2048 bits",
        ) from None
    if material.ticket_keys:
        tickets.set_keys(context, material.ticket_keys)
    return context


def _no_passphrase() -> str:
    """Instead of asking on the terminal."""
    raise ValueError("the key has a passphrase")
