"""The software bill of materials of a package, as CycloneDX 1.5 has it. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec


class Part(msgspec.Struct, frozen=True, order=True):
    """One piece of software that the package carries; ``kind`` is ``pypi`` or ``npm``."""

    name: str
    version: str
    kind: str
    licence: str
    sha256: str = ""

    @property
    def purl(self) -> str:
        """Its package URL."""
        return f"pkg:{self.kind}/{self.name.lower()}@{self.version}"


def bill(version: str, parts: Iterable[Part]) -> bytes:
    """The bill of ``open-appliance`` at ``version``; the same parts give the same bytes."""
    own = Part("open-appliance", version, "deb", "Apache-2.0")
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": {**_component(own), "type": "application"}},
        "components": [_component(part) for part in sorted(parts)],
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"


def _component(part: Part) -> dict[str, Any]:
    found: dict[str, Any] = {
        "type": "library",
        "bom-ref": part.purl,
        "name": part.name,
        "version": part.version,
        "purl": part.purl,
        "licenses": [{"license": {"name": part.licence}}],
    }
    if part.sha256:
        found["hashes"] = [{"alg": "SHA-256", "content": part.sha256}]
    return found
