"""The field lines ``CMCD-*`` of a header block (CTA-5004 §2), taken out of it: they alone differ from one segment to
the next, so that the rest of the block is known again (``oca.http1.parser.KnownBlocks``). Pure.
"""

from __future__ import annotations

import re

LINES_MAX = 4
"""Of each name one; a block with more is read as it is."""

# A whole line and nothing doubtful in it (RFC 9110 §5.5): what is taken out, llhttp would have passed.
_LINES = re.compile(rb"\r\n(?i:cmcd-(?:request|object|status|session)):([\t -~\x80-\xff]*)(?=\r\n)")


def take_cmcd(block: bytes) -> tuple[bytes, bytes]:
    """``block`` without its ``CMCD-*`` lines, and their values joined by commas; (``block``, empty) without any."""
    if b"CMCD-" not in block and b"cmcd-" not in block:
        return block, b""
    parts = _LINES.split(block)
    if not 1 < len(parts) <= 2 * LINES_MAX + 1:
        return block, b""
    return b"".join(parts[::2]), b",".join([value.strip(b" \t") for value in parts[1::2]])
