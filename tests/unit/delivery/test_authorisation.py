import pytest

from oca.common.jwk import Enforcement, SigningPolicy
from oca.delivery.authorisation import Authorisation
from oca.delivery.authorisation_settings import AuthorisationTable


def policy(enforce: Enforcement) -> SigningPolicy:
    return SigningPolicy(revision="0" * 32, enforce=enforce, issuer="steering", path_element="t", keys=[])


@pytest.mark.parametrize(
    ("mode", "told", "wanted"),
    [
        ("steering", None, "off"),
        ("steering", policy("off"), "off"),
        ("steering", policy("optional"), "optional"),
        ("steering", policy("required"), "required"),
        ("off", policy("required"), "off"),
        ("required", None, "required"),
        ("required", policy("off"), "required"),
        ("by-mount", policy("required"), "by-mount"),
    ],
)
def test_enforcement_is_the_boxes_own_or_as_steering_says(mode: str, told: SigningPolicy | None, wanted: str) -> None:
    settings = AuthorisationTable(mode=mode, mounts=("/a",))  # type: ignore[arg-type]
    assert Authorisation(policy=told).enforcement(settings) == wanted
