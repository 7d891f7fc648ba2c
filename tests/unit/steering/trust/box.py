"""A box as steering hears it: it enrols, signs, and can be made to lie."""

from __future__ import annotations

from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from oca.common.clock import now_ns
from oca.common.enrolment import EnrolRequest, RenewRequest, renewal
from oca.common.http_signature import public_text, sign, sign_text, thumbprint
from oca.common.new_key import new_pair, new_secret
from steering.state.embedded import EmbeddedState
from steering.trust.identities import open_token
from tests.unit.steering.api_client import JSON, Steering
from tests.unit.steering.made_up import make_report


class Box:
    """One box and its key."""

    def __init__(self, steering: Steering, appliance: str = "metro-a") -> None:
        self.steering = steering
        self.appliance = appliance
        self.private = new_pair()
        self.sequence = 0
        self.sends: dict[str, str] = {}

    @property
    def keyid(self) -> str:
        return thumbprint(public_text(self.private))

    def token(self, *, ttl_s: float = 3600, at_ns: int | None = None) -> str:
        return make_token(self.steering.state, self.appliance, ttl_s=ttl_s, at_ns=at_ns)

    def sign(
        self, method: str, path: str, body: bytes = b"", *, late_s: int = 0, key: Ed25519PrivateKey | None = None
    ) -> dict[str, str]:
        at_ns = now_ns()
        return sign(key or self.private, method, path, body=body, created_s=at_ns // 10**9 - late_s, nonce=f"{at_ns:x}")

    async def post(self, what: str, body: bytes, headers: dict[str, str]) -> tuple[int, Any]:
        path = f"/v1/appliances/{self.appliance}/{what}"
        async with self.steering.client.post(path, data=body, headers=JSON | self.sends | headers) as response:
            return response.status, await response.json()

    async def enrol(self, token: str, *, late_s: int = 0, key: Ed25519PrivateKey | None = None) -> tuple[int, Any]:
        body = msgspec.json.encode(EnrolRequest(token=token, key=public_text(self.private)))
        path = f"/v1/appliances/{self.appliance}/enrol"
        return await self.post("enrol", body, self.sign("POST", path, body, late_s=late_s, key=key))

    async def renew(self, new: Ed25519PrivateKey, *, proof_of: str = "") -> tuple[int, Any]:
        words = renewal(self.appliance, proof_of or self.keyid, public_text(new))
        body = msgspec.json.encode(RenewRequest(key=public_text(new), proof=sign_text(new, words)))
        return await self.post("renew", body, self.sign("POST", f"/v1/appliances/{self.appliance}/renew", body))

    def report(self, *, late_s: int = 0) -> tuple[bytes, dict[str, str]]:
        """A signed report, to be sent or misused."""
        self.sequence += 1
        body = msgspec.json.encode(
            make_report(
                self.appliance, "region" if self.appliance.startswith("region") else "metro", sequence=self.sequence
            )
        )
        return body, self.sign("POST", f"/v1/appliances/{self.appliance}/report", body, late_s=late_s)


def make_token(state: EmbeddedState, appliance: str, *, ttl_s: float = 3600, at_ns: int | None = None) -> str:
    """A token as 'oca-steering enrol create' makes it."""
    with state.write() as transaction:
        return open_token(
            transaction, appliance, new_secret(), now_ns=now_ns() if at_ns is None else at_ns, ttl_s=ttl_s
        )
