"""The endpoints with which a box makes its key known, and changes it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import msgspec
from aiohttp import web

from oca.common.clock import now_ns
from oca.common.enrolment import MESSAGE_BYTES_MAX, Enrolled, EnrolRequest, RenewRequest, renewal
from oca.common.http_signature import read_public, thumbprint, verifies_text
from oca.common.log import get_logger
from oca.common.problem import Refusal, json_response, read_body
from oca.common.threads import in_thread
from steering.api.authorisation import PROVEN, Authorisation, refuse_form
from steering.api.endpoints import endpoint
from steering.state.store import StateStore
from steering.trust.audit import Actor, append
from steering.trust.identities import Record, Refused, record_of, redeem, renewed
from steering.trust.signatures import Signatures

_enrol_requests = msgspec.json.Decoder(EnrolRequest)
_renew_requests = msgspec.json.Decoder(RenewRequest)
_log = get_logger("enrolment")
_WORDS: dict[Refused, str] = {
    "unknown-token": "There is no such enrolment token",
    "used-token": "The enrolment token was used already",
    "ended-token": "The enrolment token has ended",
}


class Enrolment:
    """Handlers over the identities in the state."""

    def __init__(
        self, state: StateStore, site_of: Mapping[str, str], authorisation: Authorisation, signatures: Signatures
    ) -> None:
        self._state = state
        self._site_of = site_of
        self._authorisation = authorisation
        self._signatures = signatures

    @endpoint("POST", "/v1/appliances/{appliance}/enrol", takes=EnrolRequest, gives=Enrolled)
    async def enrol(self, request: web.Request) -> web.Response:
        """Take a key for a one-time token; the request is signed with that key."""
        appliance = self._authorisation.named_appliance(request)
        refuse_form(request)
        shown = self._signatures.shown(request, appliance)
        asked = await read_body(request, _enrol_requests, bytes_max=MESSAGE_BYTES_MAX)
        keyid = thumbprint(asked.key)
        if shown.keyid != keyid:
            raise Refusal(401, "Signed with another key than it brings", field="$.key", remedy="run 'oca enrol' again")
        self._signatures.prove(request, shown, asked.key, of=appliance)
        outcome = await in_thread(
            partial(self._redeem, appliance, asked, keyid, request.remote or ""), name="enrolment"
        )
        if not isinstance(outcome, Record):
            _log.warning("enrolment refused", appliance=appliance, address=request.remote, why=_WORDS[outcome])
            raise Refusal(
                403,
                _WORDS[outcome],
                remedy=f"make a new one with 'oca-steering enrol create --appliance {appliance}'",
            )
        request[PROVEN] = True
        _log.info("appliance enrolled", appliance=appliance, address=request.remote, keyid=keyid)
        return self._answer(outcome)

    @endpoint("POST", "/v1/appliances/{appliance}/renew", takes=RenewRequest, gives=Enrolled, refuses=(409,))
    async def renew(self, request: web.Request) -> web.Response:
        """Take a new key that the present one vouches for."""
        appliance = self._authorisation.named_appliance(request)
        record = self._signatures.record_of(appliance)
        if record is None:
            raise Refusal(
                409,
                f"{appliance} is not enrolled, so there is nothing to renew",
                remedy=f"make a token with 'oca-steering enrol create --appliance {appliance}'",
            )
        present = self._signatures.require(request, record)
        request[PROVEN] = True
        refuse_form(request)
        asked = await read_body(request, _renew_requests, bytes_max=MESSAGE_BYTES_MAX)
        if not verifies_text(read_public(asked.key), asked.proof, renewal(appliance, present, asked.key)):
            raise Refusal(400, "The new key's proof is wrong", field="$.proof", remedy="run 'oca enrol --renew' again")
        after = await in_thread(
            partial(self._renew, appliance, present, asked.key, request.remote or ""), name="enrolment"
        )
        _log.info("appliance has a new key", appliance=appliance, address=request.remote, keyid=after.keys[-1].keyid)
        return self._answer(after)

    def _redeem(self, appliance: str, asked: EnrolRequest, keyid: str, place: str) -> Record | Refused:
        with self._state.write() as transaction:
            at_ns = now_ns()
            outcome = redeem(transaction, appliance, asked.token, keyid=keyid, x=asked.key, now_ns=at_ns)
            if isinstance(outcome, Record):
                append(transaction, Actor(appliance, place), "enrol", f"{appliance} {keyid}", now_ns=at_ns)
            return outcome

    def _renew(self, appliance: str, present: str, key: str, place: str) -> Record:
        with self._state.write() as transaction:
            at_ns = now_ns()
            record = record_of(transaction, appliance)
            if record is None or record.revoked_at_ns or record.key(present, now_ns=at_ns) is None:
                raise Refusal(403, "The identity was changed meanwhile", remedy="enrol the box anew")
            append(transaction, Actor(appliance, place), "enrol renew", f"{appliance} {thumbprint(key)}", now_ns=at_ns)
            return renewed(transaction, record, keyid=thumbprint(key), x=key, now_ns=at_ns)

    def _answer(self, record: Record) -> web.Response:
        appliance = record.appliance
        return json_response(
            Enrolled(appliance=appliance, site=self._site_of[appliance], keyid=record.keys[-1].keyid),
            headers={"Cache-Control": "no-store"},
        )
