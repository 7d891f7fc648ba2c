"""What the supervisor hands to workers, what the operator sees of it, and how real worker processes share it."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from oca.common.errors import ConfigError
from oca.delivery import kernel_tls, tickets
from oca.delivery.control import ReloadTls
from oca.delivery.metrics import DELIVERY_SLOTS
from oca.delivery.settings import DeliveryTable
from oca.delivery.supervisor import Supervisor
from oca.delivery.tls_keeper import TlsKeeper, check
from oca.delivery.tls_settings import CertificateTable, TlsTable
from tests.unit.delivery.bench import CONTENT
from tests.unit.delivery.test_certificates import replaced
from tests.unit.delivery.tls_bench import Viewer, issue, trusting, viewer
from tests.waiting import WAIT_S, until


def keeper_of(settings: TlsTable, told: list[ReloadTls] | None = None) -> TlsKeeper:
    """A keeper that has read its files."""
    keeper = TlsKeeper(settings, (told if told is not None else []).append)
    keeper.prepare(settings)
    return keeper


def table(*certificates: CertificateTable, **more: str) -> TlsTable:
    return TlsTable(listen=("127.0.0.1:0",), certificates=certificates, **more)  # type: ignore[arg-type]


def test_keeper_prepares_shared_keys_and_kernel_as_offered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate = issue(tmp_path, "a", ["*.a.test", "a.test"])
    for offered in (True, False):
        monkeypatch.setattr(kernel_tls, "is_offered", lambda offered=offered: offered)
        keeper = keeper_of(table(certificate))
        material = keeper.material
        assert (material.kernel, len(material.ticket_keys), keeper.name) == (offered, tickets.KEYS_BYTES, "a.test")
        state = keeper.state({})
        assert state is not None
        assert (state.mode, state.why, state.shared_tickets) == ("ktls" if offered else "userspace", (), True)
        assert repr(material.ticket_keys) not in repr(material)
    monkeypatch.setattr(kernel_tls, "is_offered", lambda: True)
    assert not keeper_of(table(certificate, kernel="off")).material.kernel


def test_keeper_refuses_to_start_without_kernel_that_must_encrypt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernel_tls, "is_offered", lambda: False)
    with pytest.raises(ConfigError, match=r"kernel is on, but this kernel offers no TLS; load it \(modprobe tls"):
        keeper_of(table(issue(tmp_path, "a", ["a.test"]), kernel="on"))


def test_keeper_tells_live_mode_by_open_connections(tmp_path: Path) -> None:
    keeper = keeper_of(table(issue(tmp_path, "a", ["a.test"])))
    for ktls, userspace, mode in [(3, 0, "ktls"), (0, 2, "userspace"), (1, 1, "ktls and userspace")]:
        state = keeper.state({"delivery_tls_connections:ktls": ktls, "delivery_tls_connections:userspace": userspace})
        assert state is not None
        assert state.mode == mode


def test_keeper_says_where_tickets_cannot_be_shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tickets, "set_keys", lambda *_: False)
    told: list[ReloadTls] = []
    keeper = keeper_of(table(issue(tmp_path, "a", ["a.test"])), told)
    keeper.change_ticket_keys()
    assert (keeper.material.ticket_keys, told) == (b"", [])
    assert keeper.concerns() == [
        "session tickets cannot be shared between workers here; returning clients may handshake anew"
    ]


async def test_keeper_changes_keys_alone_and_keeps_them_over_a_reload(tmp_path: Path) -> None:
    told: list[ReloadTls] = []
    settings = table(issue(tmp_path, "a", ["a.test"]))
    keeper = keeper_of(settings, told)
    before = keeper.material
    keeper.change_ticket_keys()
    assert await keeper.reload(settings) == []
    keys, files = (each.tls for each in told)
    assert keys.ticket_keys == files.ticket_keys != before.ticket_keys
    assert (keys.pairs, files.pairs) == ((), before.pairs)


async def test_keeper_without_tls_is_idle() -> None:
    told: list[ReloadTls] = []
    keeper = keeper_of(TlsTable(), told)
    keeper.change_ticket_keys()
    assert await keeper.reload(TlsTable()) == []
    await keeper.run()
    assert (told, keeper.concerns(), keeper.state({}), keeper.name) == ([], [], None, "")
    assert keeper.reason == ""


async def test_keeper_keeps_what_it_had_where_files_are_bad(tmp_path: Path) -> None:
    certificate = issue(tmp_path, "a", ["a.test"])
    told: list[ReloadTls] = []
    keeper = keeper_of(table(certificate), told)
    before = keeper.material
    replaced(certificate, key=b"x")
    (fault,) = await keeper.reload(table(certificate, version_min="1.3"))
    assert "certificates stay as they were: " in fault
    assert "a.key: holds no private key" in fault
    assert (keeper.material, told) == (before, [])


def test_check_reads_what_the_start_reads(tmp_path: Path) -> None:
    certificate = issue(tmp_path, "a", ["a.test"], days=3)
    (concern,) = check(table(certificate))
    assert "a.pem: expires in" in concern
    assert check(TlsTable()) == []
    Path(certificate.chain_file).unlink()
    with pytest.raises(ConfigError, match=r"a.pem: cannot be read"):
        check(table(certificate))


@pytest.fixture
async def supervisor(device: Path, tmp_path: Path) -> AsyncIterator[Supervisor]:
    tables = (issue(tmp_path, "a", ["a.test"]),)
    tls = table(*tables)
    running = Supervisor(DeliveryTable(listen=("127.0.0.1:0",), tls=tls, workers=2), [device], appliance="t")
    await running.start()
    yield running
    await running.stop(0)


def address(running: Supervisor) -> tuple[str, int]:
    return "127.0.0.1", int(running.urls[0].rpartition(":")[2])


async def ask(running: Supervisor, context: ssl.SSLContext, session: ssl.SSLSession | None = None) -> Viewer:
    one = await viewer(address(running), context, session=session)
    assert (await asyncio.to_thread(one.get, "/h/small.m3u8"))[2] == CONTENT["small.m3u8"]
    return one


async def reload(running: Supervisor) -> list[str]:
    """As SIGHUP with the same settings has it."""
    return await running.reload(running._settings, log_level="info", log_format="auto")


def done(running: Supervisor, kind: str) -> list[int]:
    """Handshakes of each worker."""
    slot = DELIVERY_SLOTS["delivery_tls_handshakes:" + kind]
    return [each.process.page.counts[slot] for each in running._slots if each.process is not None]


async def test_supervisor_tells_https_first_by_name(supervisor: Supervisor) -> None:
    secure, plain = supervisor.urls
    assert secure.startswith("https://a.test:")
    assert plain.startswith("http://127.0.0.1:")
    state = supervisor.tls.state(supervisor.counters())
    assert state is not None
    assert (state.mode in ("ktls", "userspace"), state.shared_tickets) == (True, True)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_session_is_resumed_by_the_other_worker(
    supervisor: Supervisor, tmp_path: Path, version: ssl.TLSVersion
) -> None:
    context = trusting(issue_of(tmp_path), version=version)
    first = await ask(supervisor, context)
    session = first.socket.session
    first.close()
    full = done(supervisor, "full")
    assert sorted(full) == [0, 1]
    other = full.index(0)
    async with asyncio.timeout(WAIT_S):
        while not done(supervisor, "resumed")[other]:
            one = await ask(supervisor, context, session)
            assert one.socket.session_reused
            one.close()
    assert done(supervisor, "full") == full


async def test_session_is_no_longer_resumed_after_keys_changed(supervisor: Supervisor, tmp_path: Path) -> None:
    context = trusting(issue_of(tmp_path))
    first = await ask(supervisor, context)
    supervisor.tls.change_ticket_keys()

    async def is_forgotten() -> bool:
        one = await ask(supervisor, context, first.socket.session)
        one.close()
        return not one.socket.session_reused

    async with asyncio.timeout(WAIT_S):
        while not all([await is_forgotten() for _ in range(8)]):
            pass
    first.close()


async def test_reload_reaches_every_worker_and_keeps_good_ones(supervisor: Supervisor, tmp_path: Path) -> None:
    before = await ask(supervisor, trusting(issue_of(tmp_path)))
    fresh = issue(tmp_path, "a", ["a.test"])
    assert await reload(supervisor) == []
    # Whoever trusts the new one alone is served by both workers.
    full = done(supervisor, "full")

    async def is_served() -> bool:
        try:
            (await ask(supervisor, trusting(fresh))).close()
        except ssl.SSLError:
            return False
        return True

    async with asyncio.timeout(WAIT_S):
        while not all(now > then for now, then in zip(done(supervisor, "full"), full, strict=True)):
            await is_served()
    assert all([await is_served() for _ in range(8)])
    assert (await asyncio.to_thread(before.get, "/h/large.m4s"))[2] == CONTENT["large.m4s"]
    before.close()
    replaced(fresh, key=b"x")
    (fault,) = await reload(supervisor)
    assert "a.key: holds no private key" in fault
    assert await is_served()


async def test_worker_that_follows_a_dead_one_has_its_keys(supervisor: Supervisor, tmp_path: Path) -> None:
    context = trusting(issue_of(tmp_path))
    session = (first := await ask(supervisor, context)).socket.session
    first.close()
    for slot in supervisor._slots:
        assert slot.process is not None
        slot.process.kill()
    await until(lambda: all(state.restarts == 1 and state.ready for state in supervisor.workers()))
    one = await ask(supervisor, context, session)
    assert one.socket.session_reused
    one.close()


async def test_supervisor_does_not_start_with_bad_certificate(device: Path, tmp_path: Path) -> None:
    certificate = issue(tmp_path, "a", ["a.test"])
    Path(certificate.chain_file).unlink()  # noqa: ASYNC240
    tls = table(certificate)
    with pytest.raises(ConfigError, match=r"a.pem: cannot be read"):
        await Supervisor(DeliveryTable(listen=(), tls=tls, workers=1), [device], appliance="t").start()


def issue_of(folder: Path) -> CertificateTable:
    """What the supervisor began with."""
    return CertificateTable(chain_file=str(folder / "a.pem"), key_file=str(folder / "a.key"))
