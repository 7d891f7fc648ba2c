"""What workers are told about signed URLs, and what follows from it. Pure, and light: loads no cryptography."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from oca.common.jwk import Enforcement, Jwk, SigningPolicy
from oca.delivery.authorisation_settings import AuthorisationTable


class Authorisation(Struct, frozen=True, kw_only=True):
    """The keys of the appliance's own file, and the policy that steering gave, if it gave one."""

    keys: tuple[Jwk, ...] = ()
    policy: SigningPolicy | None = None

    def enforcement(self, settings: AuthorisationTable) -> Enforcement | Literal["by-mount"]:
        """What is asked of viewers; ``off`` means that URLs are taken as they are, tokens not looked for."""
        if settings.mode != "steering":
            return settings.mode
        return self.policy.enforce if self.policy is not None else "off"
