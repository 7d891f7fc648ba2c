"""TLS as ``/v1/status`` tells of it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from oca.common.messages import Message


class CertificateStatus(Message, frozen=True):
    """A certificate that viewers are shown; ``file`` holds its chain."""

    file: str
    names: list[str]
    expires_at_ns: int


class TlsStatus(Message, frozen=True):
    """TLS for viewers. ``mode`` tells who encrypts now: ``ktls`` (the kernel), ``userspace`` (the workers), or both;
    ``shared_tickets`` whether a client resumes with whichever worker it meets.
    """

    mode: str
    shared_tickets: bool
    certificates: list[CertificateStatus]


class Certificate(Protocol):
    """What is told of a certificate."""

    @property
    def chain_file(self) -> str:
        """Its file."""

    @property
    def names(self) -> tuple[str, ...]:
        """Host names that it is for."""

    @property
    def expires_at_s(self) -> float:
        """Seconds since 1970."""


class TlsState(Protocol):
    """What is told of TLS (``delivery.tls_keeper``)."""

    @property
    def mode(self) -> str:
        """Who encrypts."""

    @property
    def shared_tickets(self) -> bool:
        """Whether workers share them."""

    @property
    def certificates(self) -> Sequence[Certificate]:
        """The default first."""


def tls_status(state: TlsState | None) -> TlsStatus | None:
    """TLS as the supervisor knows it; None where no address speaks it."""
    if state is None:
        return None
    return TlsStatus(
        mode=state.mode,
        shared_tickets=state.shared_tickets,
        certificates=[
            CertificateStatus(file=pair.chain_file, names=list(pair.names), expires_at_ns=int(pair.expires_at_s * 1e9))
            for pair in state.certificates
        ],
    )
