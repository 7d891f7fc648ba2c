import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from oca.common.addresses import Endpoint
from oca.common.errors import ConfigError
from oca.inheritance import Inheritance
from oca.succession import PREDECESSOR, SOCKETS

ROOT = Path(__file__).resolve().parents[2]
CLAIM = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
from oca.common.addresses import Endpoint
from oca.inheritance import Inheritance
os.environ["LISTEN_PID"] = str(os.getpid())
found = Inheritance.claim(os.environ)
(taken,) = found.take(Endpoint("127.0.0.1", 0))
print(taken.getsockname()[1], taken.get_inheritable(), [name for name in os.environ if name.startswith("LISTEN")])
found.refuse_rest()
"""


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made


def handed(*descriptors: int) -> dict[str, str]:
    return {SOCKETS: ",".join(map(str, descriptors)), "HOME": "/"}


def test_inheritance_claims_sockets_of_predecessor_by_address(listener: socket.socket) -> None:
    ours, theirs = socket.socketpair()
    with socket.create_server(("127.0.0.1", 0)) as other:
        environment = handed(os.dup(listener.fileno()), os.dup(other.fileno()))
        environment[PREDECESSOR] = str(theirs.detach())
        found = Inheritance.claim(environment)
        assert environment == {"HOME": "/"}
        port = listener.getsockname()[1]
        assert not found.take(Endpoint("127.0.0.2", port))
        assert not found.take(Endpoint("::1", 0))
        (taken,) = found.take(Endpoint("127.0.0.1", port))
        assert (taken.getsockname()[1], taken.get_inheritable()) == (port, False)
        assert not found.take(Endpoint("127.0.0.1", port))
        found.refuse_rest()  # a predecessor's that no setting names any more is closed
        assert not found.take(Endpoint("127.0.0.1", 0))
        taken.close()
    assert found.predecessor is not None
    found.predecessor.tell("no")
    assert ours.recv(100) == b'{"fault":"no"}\n'
    ours.close()
    found.predecessor._channel.close()


def activated(listener: socket.socket) -> subprocess.CompletedProcess[str]:
    """What a process makes of it that gets ``listener`` as descriptor 3, as systemd does it."""
    return subprocess.run(
        [sys.executable, "-c", CLAIM, str(listener.fileno())],
        pass_fds=[listener.fileno()],
        env={**os.environ, "LISTEN_FDS": "1", "LISTEN_FDNAMES": "oca.socket", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_inheritance_claims_activated_socket(listener: socket.socket) -> None:
    assert activated(listener).stdout == f"{listener.getsockname()[1]} False []\n"


def test_inheritance_leaves_sockets_that_are_for_another_process() -> None:
    environment = {"LISTEN_PID": "1", "LISTEN_FDS": "5"}
    assert not Inheritance.claim(environment).take(Endpoint("127.0.0.1", 0))
    assert environment == {}


def test_inheritance_refuses_activated_socket_that_no_setting_names(listener: socket.socket) -> None:
    found = Inheritance.claim(handed(os.dup(listener.fileno())))
    with pytest.raises(ConfigError, match=f"127.0.0.1:{listener.getsockname()[1]}"):
        found.refuse_rest()


def test_inheritance_refuses_socket_for_both_families() -> None:
    both = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
    with both, pytest.raises(ConfigError, match="at once") as caught:
        Inheritance.claim(handed(os.dup(both.fileno())))
    assert "BindIPv6Only" in caught.value.remedy


@pytest.mark.parametrize("kind", ["file", "datagram"])
def test_inheritance_refuses_what_is_no_tcp_socket(kind: str) -> None:
    if kind == "file":
        descriptor = os.open(os.devnull, os.O_RDONLY)
    else:
        descriptor = socket.socket(socket.AF_INET, socket.SOCK_DGRAM).detach()
    with pytest.raises(ConfigError, match=f"descriptor {descriptor}"):
        Inheritance.claim(handed(descriptor))
    if kind == "file":
        os.close(descriptor)
