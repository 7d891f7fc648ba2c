"""Certificates and their keys, read from files and checked before anything is served with them.

What ``oca config check``, the start and a reload say of them comes from here. OpenSSL alone would say
``KEY_VALUES_MISMATCH`` for a wrong key and nothing at all of a certificate that has expired.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from oca.common.errors import ConfigError
from oca.common.units import format_duration
from oca.delivery.tls_material import Pair
from oca.delivery.tls_settings import CertificateTable

FILE_BYTES_MAX = 1 << 20
SOON_S = 14 * 86400.0
"""A certificate that ends sooner is told of: automatic renewal replaces them 30 days before."""


def read_pairs(tables: Sequence[CertificateTable]) -> tuple[Pair, ...]:
    """Read and check every certificate with its key.

    Raises:
        ConfigError: A file cannot be read or is no PEM, or a key is another certificate's.
    """
    return tuple(_read_pair(table) for table in tables)


def concerns(pairs: Sequence[Pair], now_s: float, *, ends: bool = True) -> Iterator[str]:
    """What an operator should know of pairs that can be used, in words; ``ends``: also that they end soon."""
    for pair in pairs:
        left_s = pair.expires_at_s - now_s
        if left_s <= 0 and ends:
            yield f"{pair.chain_file}: expired {format_duration(-left_s)} ago, players refuse it; renew it"
        elif now_s < pair.valid_from_s:
            yield f"{pair.chain_file}: not valid before {format_duration(pair.valid_from_s - now_s)}; see the clock"
        elif left_s < SOON_S and ends:
            yield f"{pair.chain_file}: expires in {format_duration(left_s)}; renew it"
        if not pair.names:
            yield f"{pair.chain_file}: names no host (subjectAltName), players refuse it; have it issued for one"
        if _readable_by_all(pair.key_file):
            yield f"{pair.key_file}: every user of this machine can read the key; chmod o-r it"


def _read_pair(table: CertificateTable) -> Pair:
    try:
        leaf = x509.load_pem_x509_certificates(_read(table.chain_file))[0]
    except ValueError as error:
        raise ConfigError(
            f"{table.chain_file}: holds no certificate: {_brief(error)}",
            remedy="give the PEM file that begins with -----BEGIN CERTIFICATE-----",
        ) from None
    if _public(_read_key(table.key_file)) != _public(leaf):
        raise ConfigError(
            f"{table.key_file} is not the key of {table.chain_file}",
            remedy="give the key that this certificate was requested with",
        )
    return Pair(
        chain_file=table.chain_file,
        key_file=table.key_file,
        names=_names(leaf),
        valid_from_s=leaf.not_valid_before_utc.timestamp(),
        expires_at_s=leaf.not_valid_after_utc.timestamp(),
    )


def _public(holder: x509.Certificate | PrivateKeyTypes) -> bytes:
    """The public key of a certificate or a private key, to compare."""
    form = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    return holder.public_key().public_bytes(*form)


def _read_key(path: str) -> PrivateKeyTypes:
    try:
        return serialization.load_pem_private_key(_read(path), password=None)
    except TypeError:
        raise ConfigError(
            f"{path}: the key has a passphrase", remedy="take it off (openssl pkey -in … -out …), mode 0600"
        ) from None
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ConfigError(
            f"{path}: holds no private key: {_brief(error)}",
            remedy="give the PEM file that begins with -----BEGIN PRIVATE KEY-----",
        ) from None


def _readable_by_all(path: str) -> bool:
    try:
        return bool(Path(path).stat().st_mode & stat.S_IROTH)
    except OSError:  # being renewed at this moment
        return False


def _read(path: str) -> bytes:
    try:
        with Path(path).open("rb") as file:
            return file.read(FILE_BYTES_MAX)
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be read: {error.strerror}",
            remedy="check the path, and that the service's user may read it and enter its folders",
        ) from None


def _names(leaf: x509.Certificate) -> tuple[str, ...]:
    try:
        extension = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except (x509.ExtensionNotFound, ValueError):
        return ()
    return tuple(name.lower() for name in extension.value.get_values_for_type(x509.DNSName))


def _brief(error: Exception) -> str:
    """The first sentence of what the library says; the rest is a link to its handbook."""
    return str(error).partition(". ")[0].rstrip(".")[:120]
