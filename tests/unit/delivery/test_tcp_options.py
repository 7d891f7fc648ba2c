import socket
from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

from oca.delivery.pacing_settings import PacingTable
from oca.delivery.tcp_options import TCP_NOTSENT_LOWAT, congestion_of, set_options


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made


def taken_from(listener: socket.socket) -> socket.socket:
    with socket.create_connection(listener.getsockname()):
        return listener.accept()[0]


def test_options_are_inherited_by_connections(listener: socket.socket) -> None:
    set_options(listener, PacingTable(congestion="reno", notsent_bytes_max=65536), log=True)
    with taken_from(listener) as connection:
        assert congestion_of(connection) == "reno"
        assert connection.getsockopt(socket.IPPROTO_TCP, TCP_NOTSENT_LOWAT) == 65536


def test_options_stay_the_kernels_own_by_default(listener: socket.socket) -> None:
    before = congestion_of(listener)
    set_options(listener, PacingTable(), log=True)
    assert congestion_of(listener) == before
    assert listener.getsockopt(socket.IPPROTO_TCP, TCP_NOTSENT_LOWAT) == 0


def test_options_that_kernel_lacks_are_said_once_and_passed_over(listener: socket.socket) -> None:
    before = congestion_of(listener)
    with capture_logs() as lines:
        set_options(listener, PacingTable(congestion="nosuch"), log=True)
        set_options(listener, PacingTable(congestion="nosuch"), log=False)
    assert congestion_of(listener) == before
    (line,) = lines
    assert (line["wanted"], line["used"]) == ("nosuch", before)
    assert "modprobe tcp_nosuch" in line["remedy"]
