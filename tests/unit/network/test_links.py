import asyncio

import pyroute2
import pytest
import uvloop

from oca.common.errors import OcaError
from oca.network.links import read_links


def test_links_hold_loopback_as_kernel_tells_it() -> None:
    (loopback,) = [link for link in read_links() if link.name == "lo"]
    assert loopback.loopback
    assert loopback.enabled
    assert not loopback.fault
    assert "127.0.0.1/8" in loopback.addresses
    assert loopback.speed_bytes_per_s == 0


def test_links_read_in_thread_beside_uvloop() -> None:
    found = uvloop.run(asyncio.to_thread(read_links))
    assert "lo" in [link.name for link in found]


def test_links_explain_kernel_that_refuses_netlink(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(pyroute2, "IPRoute", refuse)
    with pytest.raises(OcaError, match="Operation not permitted") as caught:
        read_links()
    assert "AF_NETLINK" in caught.value.remedy
