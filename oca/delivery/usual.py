"""Recognises the usual request: one like those before it, as nearly every request of a player is.

Everything about it was read strictly before, byte for byte: its header block (``KnownBlocks``) and the path in its
request line (``Lookup.quick``). Whatever is not recognised takes the full way, which answers it the same.

In one step, because amid large bodies, which leave no other code in the processor's caches, each step in Python costs
several times what it costs alone.
"""

from __future__ import annotations

from oca.delivery.lookup import Found
from oca.delivery.service import Service
from oca.http1.request import Fields
from oca.http1.target import TARGET_BYTES

_VERSION = b" HTTP/1.1"
_VERSION_BYTES = len(_VERSION)
_METHOD = b"GET "
_METHOD_BYTES = len(_METHOD)


def recognise(data: bytes, service: Service) -> tuple[Found, Fields, bytes] | None:
    """What is asked for, if ``data`` is one whole usual GET and nothing else; None for whatever else it is.

    Args:
        data: What was received behind a request that was answered whole.
        service: Whose look-up, known blocks and limits hold.

    Returns:
        The object, the fields of the header block, and the query.
    """
    line_end = data.find(b"\r\n")
    end = line_end - _VERSION_BYTES
    if data[end:line_end] != _VERSION or len(data) > service.limits.head_bytes_max:
        return None
    gate = service.gate
    begin = gate.granted(data, end) if gate is not None else _METHOD_BYTES if data.startswith(_METHOD) else 0
    if not begin:
        return None
    target, query = data[begin:end], b""
    found = service.lookup.quick.get(target)
    if found is None:
        path, _, query = target.partition(b"?")
        found = service.lookup.quick.get(path)
        too_long = end - _METHOD_BYTES > service.limits.target_bytes_max
        if found is None or too_long or query.translate(None, TARGET_BYTES):
            return None
        if gate is not None and gate.may_hold_token(query):
            return None
    fields = service.known.fields.get(data[line_end:])
    if fields is None or not fields.usual or (found.epoch != service.reads.epoch and not found.text):
        return None
    return found, fields, query
