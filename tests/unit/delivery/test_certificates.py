"""What an operator is told of certificates and keys: which file, what is wrong, what to do."""

from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from oca.common.clock import now_s
from oca.common.errors import ConfigError
from oca.delivery.certificates import concerns, read_pairs
from oca.delivery.tls_settings import CertificateTable
from tests.unit.delivery.tls_bench import DAY_S, issue


def told(*tables: CertificateTable) -> list[str]:
    return list(concerns(read_pairs(tables), now_s()))


def test_certificates_tell_names_and_end(tmp_path: Path) -> None:
    (pair,) = read_pairs([issue(tmp_path, "a", ["A.test", "*.b.test", "192.0.2.1"], days=90)])
    assert pair.names == ("a.test", "*.b.test")
    assert pair.expires_at_s == pytest.approx(now_s() + 90 * DAY_S, abs=60)
    assert list(concerns([pair], now_s())) == []


@pytest.mark.parametrize(
    ("days", "began_days_ago", "names", "said"),
    [
        (-2.5, 10, ["a.test"], "a.pem: expired 2 d 12 h ago"),
        (13.99, 1, ["a.test"], "a.pem: expires in 13 d 23 h; renew it"),
        (90, -2, ["a.test"], "a.pem: not valid before 2 d 0 h; see the clock"),
        (90, 1, [], "a.pem: names no host (subjectAltName)"),
    ],
)
def test_certificates_tell_what_players_refuse(
    tmp_path: Path, days: float, began_days_ago: float, names: list[str], said: str
) -> None:
    (concern,) = told(issue(tmp_path, "a", names, days=days, began_days_ago=began_days_ago))
    assert said.replace("2 d 0 h", "1 d 23 h") in concern.replace("2 d 0 h", "1 d 23 h")


def test_certificates_warn_of_key_that_all_can_read(tmp_path: Path) -> None:
    table = issue(tmp_path, "a", ["a.test"])
    Path(table.key_file).chmod(0o644)
    (concern,) = told(table)
    assert concern == f"{table.key_file}: every user of this machine can read the key; chmod o-r it"


def with_passphrase(table: CertificateTable) -> CertificateTable:
    key = serialization.load_pem_private_key(Path(table.key_file).read_bytes(), password=None)
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    sealed = key.private_bytes(*form, serialization.BestAvailableEncryption(b"secret"))
    Path(table.key_file).write_bytes(sealed)
    return table


def replaced(table: CertificateTable, *, chain: bytes | None = None, key: bytes | None = None) -> CertificateTable:
    if chain is not None:
        Path(table.chain_file).write_bytes(chain)
    if key is not None:
        Path(table.key_file).write_bytes(key)
    return table


def other_key() -> bytes:
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(*form)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda table: replaced(table, key=other_key()), r"a.key is not the key of .*a.pem; give the key"),
        (with_passphrase, r"a.key: the key has a passphrase; take it off"),
        (lambda table: replaced(table, key=b"x"), r"a.key: holds no private key: .*; give the PEM file"),
        (lambda table: replaced(table, chain=b"x"), r"a.pem: holds no certificate: .*; give the PEM file"),
        (lambda table: replaced(table, chain=b""), r"a.pem: holds no certificate"),
        (
            lambda table: replaced(table, chain=b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
            r"a.pem: holds no certificate",
        ),
        (
            lambda table: CertificateTable(chain_file=table.chain_file + "x", key_file=table.key_file),
            r"a.pemx: cannot be read: No such file.*; check the path, and that the service's user",
        ),
        (
            lambda table: CertificateTable(chain_file=table.chain_file, key_file=str(Path(table.key_file).parent)),
            r"cannot be read: Is a directory",
        ),
    ],
)
def test_certificates_name_file_and_remedy(
    tmp_path: Path, spoil: Callable[[CertificateTable], CertificateTable], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        read_pairs([spoil(issue(tmp_path, "a", ["a.test"]))])
