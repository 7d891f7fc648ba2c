"""Why a signed URL is refused: fixed text, fit for a metric's label and a header. Pure."""

from __future__ import annotations

from typing import Literal, get_args

Refusal = Literal[
    "missing",
    "repeated",
    "malformed",
    "unknown-key",
    "too-many",
    "bad-signature",
    "issuer",
    "audience",
    "expired",
    "not-yet",
    "renewal",
    "token-id",
    "version",
    "critical-claim",
    "wrong-client",
    "wrong-uri",
]
REASONS: tuple[str, ...] = get_args(Refusal)
MEANINGS: dict[Refusal, str] = {
    "missing": "the URL carries no token, and one is required",
    "repeated": "the URL carries more than one token",
    "malformed": "the token is no compact JWS with the claims of RFC 9246, or its URL is cut short",
    "unknown-key": "no key here has its kid and algorithm: rotated away, revoked, or not taken up yet",
    "too-many": "too many tokens that are not known yet came at once; known ones pass",
    "bad-signature": "the signature is not of the key it names: forged, cut, or another key under the same kid",
    "issuer": "its key may not speak for its issuer (iss)",
    "audience": "it is meant for others (aud)",
    "expired": "its time is over (exp), by this machine's clock",
    "not-yet": "its time has not come (nbf), by this machine's clock",
    "renewal": "it wants to be renewed (cdnistt, cdniets), which is not done here",
    "token-id": "it is good for one request only (jti), which is not kept track of here",
    "version": "its claims are of another version (cdniv)",
    "critical-claim": "it needs an extension to be understood (cdnicrit, or crit in its header)",
    "wrong-client": "it is for other addresses (cdniip), or for whom cannot be read",
    "wrong-uri": "it is for other URIs (cdniuc), or in a form not known here",
}
