"""Who may speak for an appliance: whoever signs with its key once it is enrolled; else whoever shows its token; without
one, whoever connects from the right address.
"""

from __future__ import annotations

import hmac
from collections.abc import Container, Mapping

from aiohttp import web

from oca.common.problem import Refusal
from steering.decision.address import Trust, parse_address
from steering.trust.signatures import Signatures

# Through a reverse proxy or a web page anybody reaches us from a good address; these headers give them away.
PROXIED = ("X-Forwarded-For", "X-Real-IP", "Forwarded", "Via")
_SECOND_HAND = ("Origin", *PROXIED)
PROVEN = web.RequestKey("proven", bool)
"""Set on a request of which it is certain that the appliance it names sent it."""


class Authorisation:
    """The rule, over the configured appliances."""

    def __init__(
        self, appliances: Container[str], tokens: Mapping[str, str], open_to: Trust, signatures: Signatures
    ) -> None:
        self._appliances = appliances
        self._signatures = signatures
        self._tokens = tokens
        self._open_to = open_to

    def appliance_of(self, request: web.Request) -> str:
        """The appliance that the URL names; before anything of the body is read.

        Raises:
            Refusal: The caller may not speak for it, or in a form that a web page could send too.
        """
        appliance = self.named_appliance(request)
        token = self._tokens.get(appliance)
        if (identity := self._signatures.record_of(appliance)) is not None:
            self._signatures.require(request, identity)
        elif token is None:
            self._refuse_address(request)
        else:
            _refuse_token(request, token)
        request[PROVEN] = True
        refuse_form(request)
        return appliance

    def named_appliance(self, request: web.Request) -> str:
        """The appliance that the URL names, whoever asks.

        Raises:
            Refusal: There is none of that name.
        """
        appliance = request.match_info["appliance"]
        if appliance not in self._appliances:
            raise Refusal(403, "Unknown appliance", remedy="add it to its [[site]] in steering.toml")
        return appliance

    def _refuse_address(self, request: web.Request) -> None:
        peer = parse_address(request.remote or "")
        if peer is None or not self._open_to.covers(peer):
            raise Refusal(
                403,
                "This address may not speak for an appliance without a token",
                remedy="enrol it ('oca-steering enrol create'), give it a token_file, or add its prefix to api.open_to",
            )
        if shown := second_hand(request):
            raise Refusal(
                403,
                f"{shown} says that somebody else asks: the address proves nothing",
                remedy="enrol the appliance or give it a token_file: that counts whatever lies between",
            )


def second_hand(request: web.Request) -> str:
    """The header by which a page or a proxy gives away that somebody else asks; empty: there is none."""
    return next((name for name in _SECOND_HAND if name in request.headers), "")


def refuse_form(request: web.Request) -> None:
    """Refuse what a web page could send, and a body where none is taken."""
    if request.method == "POST":
        if request.content_type != "application/json":
            raise Refusal(415, "Send Content-Type: application/json")
    elif request.can_read_body:
        raise Refusal(413, "A body is not taken here")


def _refuse_token(request: web.Request, token: str) -> None:
    scheme, _, shown = request.headers.get("Authorization", "").partition(" ")
    right = hmac.compare_digest(shown.strip().encode("utf-8", "surrogateescape"), token.encode())
    if scheme.lower() != "bearer" or not right:
        raise Refusal(401, "The token is missing or wrong", remedy="check steering.token_file in appliance.toml")
