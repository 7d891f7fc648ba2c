"""Kernel TLS on a kernel that has it: Debian's in a guest, since the host's may lack the module."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from tests.system import guest
from tests.system.ktls_in_guest import FIRST, LAST, SIZES, Seen

pytestmark = pytest.mark.system

CIPHER = ("gcm", "ctr", "ghash_generic", "aesni_intel")
"""AES-GCM's own modules: without them the kernel takes no keys, and says nothing."""
CLIENTS = 4


@pytest.mark.timeout(guest.BOOT_S_MAX + 120)
def test_kernel_encrypts_what_sendfile_moves(tmp_path: Path) -> None:
    try:
        said = guest.run("tests.system.ktls_in_guest", tmp_path, modules=["tls", *CIPHER])
    except guest.UnavailableError as error:
        pytest.skip(str(error))
    seen = msgspec.convert(said, Seen)
    met = [(visit.version, visit.resumed) for visit in seen.visits]
    assert met == [("TLSv1.3", False), ("TLSv1.3", True), ("TLSv1.2", False), ("TLSv1.2", True)]
    assert all(all(visit.exact) and visit.goodbye for visit in seen.visits), seen
    assert seen.modes == [{"ktls": 1, "userspace": 0}] * CLIENTS
    assert seen.kernel_counters["TlsTxSw"] == CLIENTS
    sent = 2 * sum(SIZES.values()) + SIZES["small.m4s"] + LAST + 1 - FIRST
    assert [visit.bytes for visit in seen.visits] == [sent] * CLIENTS
    counters = seen.counters
    assert counters["delivery_tls_sent_bytes:ktls"] == counters["delivery_sent_bytes"] == CLIENTS * sent
    assert counters["delivery_tls_sent_bytes:userspace"] == counters["delivery_tls_writes"] == 0
    assert counters["delivery_sendfile_calls"] >= CLIENTS * 8
    assert counters["delivery_sends_blocked"] > CLIENTS * 8
