"""The supervisor's side of TLS: checks certificates, makes the ticket keys that workers share, tells how it stands."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from msgspec import Struct, structs

from oca.common import clock
from oca.common.errors import ConfigError
from oca.common.log import get_logger
from oca.delivery import kernel_tls, tickets
from oca.delivery.control import ReloadTls
from oca.delivery.tls_contexts import Contexts
from oca.delivery.tls_material import Material, Pair
from oca.delivery.tls_settings import TlsTable

_log = get_logger("tls")


class TlsState(Struct, frozen=True, kw_only=True):
    """TLS as the operator sees it.

    Attributes:
        mode: Who encrypts new connections: nobody, the kernel, or the workers.
        why: Why not the kernel, or what an operator should know of certificates.
        shared_tickets: Whether a client resumes with whichever worker it meets.
    """

    mode: str
    why: tuple[str, ...]
    shared_tickets: bool
    certificates: tuple[Pair, ...]


def check(settings: TlsTable) -> list[str]:
    """Read what the settings name as the start does, and say what an operator should know (``oca config check``).

    Raises:
        ConfigError: It would not start; names the file and what to do.
    """
    keeper = TlsKeeper(settings, lambda _: None)
    keeper.prepare(settings)
    return keeper.concerns()


class TlsKeeper:
    """What all workers are handed, and when it changes; idle where no address speaks TLS."""

    def __init__(self, settings: TlsTable, tell: Callable[[ReloadTls], None]) -> None:
        """``tell`` hands a message to every worker; one that starts later takes ``material``."""
        self._settings = settings
        self._tell = tell
        self.material = Material()

    def prepare(self, settings: TlsTable) -> None:
        """Read and check all that ``settings`` name; all stays as it is where anything is wrong.

        Raises:
            ConfigError: Naming the file and what to do.
        """
        if not settings.listen:
            return
        from oca.delivery.certificates import read_pairs  # noqa: PLC0415 - loads cryptography, not needed without

        kernel = settings.kernel != "off" and kernel_tls.is_offered()
        if settings.kernel == "on" and not kernel:
            raise ConfigError(
                "delivery.tls.kernel is on, but this kernel offers no TLS",
                remedy='load it (modprobe tls; /etc/modules-load.d keeps it) or set delivery.tls.kernel = "auto"',
            )
        pairs = read_pairs(settings.certificates)
        keys = self.material.ticket_keys or tickets.new_keys()
        material = Material(pairs=pairs, ticket_keys=keys, kernel=kernel)
        first, second = (Contexts(settings, material).default for _ in range(2))
        if not tickets.resumes(first, second):
            material = structs.replace(material, ticket_keys=b"")
        self.material, self._settings = material, settings

    async def reload(self, settings: TlsTable) -> list[str]:
        """Read the certificates anew and hand them to the workers; connections that are open keep theirs.

        Returns:
            What cannot be used, so that all stay as they were.
        """
        try:
            await asyncio.to_thread(self.prepare, settings)
        except ConfigError as error:
            _log.error("certificates stay as they were", error=error.message, remedy=error.remedy)
            return [f"certificates stay as they were: {error}"]
        if self.material.pairs:
            self._tell(ReloadTls(tls=self.material))
            self._log()
        return []

    def change_ticket_keys(self) -> None:
        """Seal session tickets with other keys from now on, where they are shared."""
        if self.material.ticket_keys:
            self.material = structs.replace(self.material, ticket_keys=tickets.new_keys())
            self._tell(ReloadTls(tls=structs.replace(self.material, pairs=())))

    async def run(self) -> None:
        """Say how it stands, then change the ticket keys as often as is set."""
        if self.material.pairs:
            self._log()
            while True:
                await asyncio.sleep(self._settings.ticket_keys_s)
                self.change_ticket_keys()

    def concerns(self, *, ends: bool = True) -> list[str]:
        """What an operator should know, each with what to do; ``ends``: also of certificates that end soon."""
        if not self.material.pairs:
            return []
        from oca.delivery.certificates import concerns  # noqa: PLC0415

        told = list(concerns(self.material.pairs, clock.now_s(), ends=ends))
        if not self.material.ticket_keys:
            told.append("session tickets cannot be shared between workers here; returning clients may handshake anew")
        return told

    @property
    def reason(self) -> str:
        """All of it in one line, for the box's health, which judges by itself how soon certificates end."""
        return "; ".join(self.concerns(ends=False))

    @property
    def ends_at_s(self) -> dict[str, float]:
        """When each certificate ends, in seconds since 1970, by its file."""
        return {pair.chain_file: pair.expires_at_s for pair in self.material.pairs}

    @property
    def name(self) -> str:
        """A host name that the default certificate is for; empty where it names none, or wildcards alone."""
        names = self.material.pairs[0].names if self.material.pairs else ()
        return next((name for name in names if "*" not in name), "")

    def state(self, counters: Mapping[str, int]) -> TlsState | None:
        """How it stands; None where no address speaks TLS."""
        if not self.material.pairs:
            return None
        return TlsState(
            mode=self._mode(counters),
            why=tuple(self.concerns()),
            shared_tickets=bool(self.material.ticket_keys),
            certificates=self.material.pairs,
        )

    def _mode(self, counters: Mapping[str, int]) -> str:
        """By what is open now, where anything is: OpenSSL goes on, silently, where the kernel lacks a cipher."""
        kernel, userspace = (counters.get(f"delivery_tls_connections:{mode}", 0) for mode in ("ktls", "userspace"))
        if kernel or userspace:
            return "ktls" if not userspace else "userspace" if not kernel else "ktls and userspace"
        return "ktls" if self.material.kernel else "userspace"

    def _log(self) -> None:
        encrypts = "the kernel" if self.material.kernel else "the workers"
        _log.info("tls", encrypts=encrypts, certificates=[pair.chain_file for pair in self.material.pairs])
        for concern in self.concerns():
            _log.warning("tls", concern=concern)
