"""Playback answers, whatever way they are asked for: who the client is, the decision, the answer or why there is none.

How requests and answers travel is ``api_players``' and ``express``' business.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import final

from mypy_extensions import mypyc_attr

from oca.common.problem import Refusal
from steering.api.messages import PlaybackAnswer, PlaybackRequest
from steering.decision.address import Client, Trust, client_of
from steering.decision.decider import Decider, Decision
from steering.decision.edition import Edition
from steering.decision.ranking import Ranking
from steering.fleet.first_reports import FirstReports
from steering.players.answer import Asking, playback_answer, playback_body
from steering.players.device import ANY, playable, why_none

# RFC 9110 §7.2, as far as URLs in a manifest's attributes may hold it without quoting.
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{1,253})(:[0-9]{1,5})?")


@final
@mypyc_attr(acyclic=True)
class Caller:
    """Who asks, as far as its connection and the fields of its request tell.

    Attributes:
        peer: Address of the connection's other end.
        forwarded: X-Forwarded-For fields, in order.
        host: The Host field.
        scheme: ``http`` or ``https``.
    """

    __slots__ = ("forwarded", "host", "peer", "scheme")

    def __init__(self, peer: str, forwarded: Sequence[str], host: str, scheme: str = "http") -> None:
        self.peer, self.forwarded, self.host, self.scheme = peer, forwarded, host, scheme


class Playback:
    """Over one decider."""

    def __init__(self, decider: Decider, trusted: Trust, first_reports: FirstReports) -> None:
        self.decider = decider
        self._trusted = trusted
        self._first_reports = first_reports
        self._public_url = decider.settings.api.public_url.rstrip("/")

    @property
    def ready(self) -> bool:
        """Whether answers need not wait for appliances that have not reported yet."""
        return self._first_reports.over

    def answer(self, asked: PlaybackRequest, caller: Caller, *, vouched: bool = False) -> PlaybackAnswer:
        """The answer to a playback request, by what is known now.

        Args:
            asked: The request.
            caller: Whose it is.
            vouched: An operator's token in it lets it name clients.

        Raises:
            Refusal: There is none.
        """
        return playback_answer(*self._decided(asked, caller, vouched=vouched))

    def body(self, asked: PlaybackRequest, caller: Caller) -> bytes:
        """``answer`` in JSON.

        Raises:
            Refusal: There is none.
        """
        return playback_body(*self._decided(asked, caller))

    def _decided(
        self, asked: PlaybackRequest, caller: Caller, *, vouched: bool = False
    ) -> tuple[Edition, Ranking, Asking]:
        client = self.client(caller, asked.client, vouched=vouched)
        decision = self.decide(asked.title, client, kind="playback")
        wanted = playable(decision.title, asked.device) if asked.device != ANY else None
        if wanted is None and asked.device != ANY:
            why = why_none(decision.title, asked.device)
            raise Refusal(406, f"Nothing of {asked.title} plays on this device", detail=why, field="$.device")
        asking = Asking(
            client=client.address.text,
            client_from=client.source,
            prefix=decision.prefix,
            site=decision.viewer.home,
            base_url=self.base_url(caller),
            query=carried(client),
            device=asked.device,
            wanted=wanted,
        )
        return decision.edition, decision.ranking, asking

    def client(self, caller: Caller, named: str, *, vouched: bool = False) -> Client:
        """The viewer; ``named`` is the address that the request names, or empty.

        Raises:
            Refusal: 400, a believed name is no address.
        """
        return client_of(caller.peer, caller.forwarded, named, self._trusted, vouched=vouched)

    def edition(self, name: str) -> Edition:
        """A title that is there.

        Raises:
            Refusal: 404, it is not.
        """
        edition = self.decider.edition(name)
        if edition is None:
            raise Refusal(404, "No such title", field="$.title", remedy="GET /v1/titles lists them")
        return edition

    async def decide_once_known(self, name: str, client: Client, *, kind: str) -> Decision:
        """``decide``, after appliances have reported."""
        await self.known(name)
        return self.decide(name, client, kind=kind)

    async def known(self, name: str) -> None:
        """Wait until appliances have reported; not for a title that is not there."""
        self.edition(name)
        await self._first_reports.wait()

    def decide(self, name: str, client: Client, *, kind: str) -> Decision:
        """A decision that names a source.

        Raises:
            Refusal: 403 or 404, with why there is none.
        """
        decision = self.decider.decide(self.edition(name), client.address, kind=kind)
        if decision.ranking.barred:
            raise Refusal(403, f"{name} may not be served to this client", detail=decision.ranking.barred)
        if not decision.ranking.pathways:
            lost = "; ".join(f"{each.pathway}: {each.why}" for each in decision.ranking.rejected[:10])
            raise Refusal(
                404, f"Nobody can serve {name} now", detail=lost or "no appliance and no origin is configured"
            )
        return decision

    def base_url(self, caller: Caller) -> str:
        """How players reach this service.

        Raises:
            Refusal: 400, no setting says it, and what was asked is no host.
        """
        if self._public_url:
            return self._public_url
        if not _HOST.fullmatch(caller.host):
            raise Refusal(
                400, "The Host header is no host", remedy="name the host that was asked, or set api.public_url"
            )
        return f"{caller.scheme}://{caller.host}"


def carried(client: Client) -> str:
    """What later requests of the same player must say again: the client, where it was named and not seen."""
    return f"client={client.address.text}" if client.source == "parameter" else ""
