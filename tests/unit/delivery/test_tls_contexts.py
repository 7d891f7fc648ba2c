"""Which certificate a client gets, and what contexts share."""

import ssl
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from oca.common.errors import ConfigError
from oca.delivery import tickets
from oca.delivery.certificates import read_pairs
from oca.delivery.tls_contexts import Contexts
from oca.delivery.tls_material import Material
from oca.delivery.tls_settings import TlsTable
from tests.unit.delivery.tls_bench import issue

KEYS = tickets.new_keys()


def contexts(folder: Path, *, keys: bytes = b"", version_min: str = "1.2") -> Contexts:
    tables = [
        issue(folder, "a", ["a.test"]),
        issue(folder, "b", ["b.test", "a.test"]),
        issue(folder, "c", ["*.c.test"]),
    ]
    settings = TlsTable(version_min=version_min)  # type: ignore[arg-type]
    return Contexts(settings, Material(pairs=read_pairs(tables), ticket_keys=keys))


def test_contexts_choose_by_name(tmp_path: Path) -> None:
    made = contexts(tmp_path)
    a, b, c = made._made
    chosen = {
        "a.test": a,
        "A.Test.": a,
        "b.test": b,
        "x.c.test": c,
        "x.y.c.test": a,
        "c.test": a,
        "": a,
        "192.0.2.1": a,
    }
    assert {name: made.of(name) for name in chosen} == chosen
    assert made.default is a


def test_contexts_refuse_key_too_weak_for_openssl(tmp_path: Path) -> None:
    table = issue(tmp_path, "weak", ["a.test"], key=rsa.generate_private_key(65537, 1024))
    with pytest.raises(ConfigError, match=r"weak.key: OpenSSL refuses them: EE_KEY_TOO_SMALL; have the certificate"):
        Contexts(TlsTable(), Material(pairs=read_pairs([table])))


def test_contexts_resume_each_others_sessions_by_shared_keys(tmp_path: Path) -> None:
    first, second, stranger = (contexts(tmp_path, keys=keys).default for keys in (KEYS, KEYS, b""))
    assert tickets.resumes(first, second)
    assert not tickets.resumes(first, stranger)
    old = ssl.TLSVersion.TLSv1_2
    first.maximum_version = second.maximum_version = stranger.maximum_version = old
    assert tickets.resumes(first, second)
    assert not tickets.resumes(first, stranger)


def test_contexts_forget_keys_that_were_replaced(tmp_path: Path) -> None:
    first, second = contexts(tmp_path, keys=KEYS), contexts(tmp_path, keys=KEYS)
    assert second.set_ticket_keys(tickets.new_keys())
    assert not tickets.resumes(first.default, second.default)


def test_tickets_are_left_alone_where_memory_is_not_as_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = contexts(tmp_path)
    monkeypatch.setattr(sys, "version_info", (3, 99))
    assert not made.set_ticket_keys(KEYS)
    monkeypatch.undo()
    monkeypatch.setattr(tickets, "_address", lambda _: 0)
    assert not made.set_ticket_keys(KEYS)
