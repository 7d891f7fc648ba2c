"""Takes out of a text what must not leave the box: who watched, and what opens a door. Pure."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection

_IPV4 = r"\d{1,3}(?:\.\d{1,3}){3}"
_IPV6 = r"(?=[0-9A-Fa-f]*:[0-9A-Fa-f:]*:)[0-9A-Fa-f:]{2,39}(?:\.\d{1,3}){0,3}"
_ADDRESS = re.compile(rf"(?<![\w.:])(?:{_IPV4}|{_IPV6})(?!\w|\.\d)")
_TOKEN = re.compile(r"\beyJ[\w-]{5,}(?:\.[\w-]*){1,4}|(?i:bearer)\s+[\w.~+/=-]{8,}|(?<=:)//[^/@\s]+@")
_KEY = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----", re.DOTALL)
_SECRET = re.compile(r"""(?i)(["']?\b(?:token|secret|password|passwd|api_?key|k|d)["']?\s*[=:]\s*)["'][^"']{8,}["']""")


def redacted(text: str, own: Collection[str]) -> str:
    """``text`` without tokens, keys and addresses; those in ``own``, loopback and 0.0.0.0 stay."""
    text = _KEY.sub("KEY", text)
    text = _SECRET.sub(r'\1"SECRET"', text)
    text = _TOKEN.sub("TOKEN", text)

    def shown(found: re.Match[str]) -> str:
        try:
            address = ipaddress.ip_address(found[0])
        except ValueError:
            return found[0]
        harmless = address.is_loopback or address.is_unspecified or str(address) in own
        return found[0] if harmless else "ADDRESS"

    return _ADDRESS.sub(shown, text)
