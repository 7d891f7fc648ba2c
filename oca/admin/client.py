"""Asks the admin API of the appliance on this machine, for the operator's commands."""

from __future__ import annotations

import http.client
from typing import TypeVar

import msgspec

from oca.admin.quality import By, QualityPage
from oca.admin.routes import RoutesPage
from oca.admin.status import Renewal, ServingChange, Status
from oca.admin.top import HotPage
from oca.common.addresses import Endpoint, parse_listen
from oca.common.errors import OcaError
from oca.common.messages import Problem

TIMEOUT_S = 5.0
RENEWAL_TIMEOUT_S = 120.0
"""New workers start one after the other; a large index takes some seconds to be read in each."""
ANSWER_BYTES_MAX = 4 * 2**20
Answer = TypeVar("Answer")


def ask_status(listen: str) -> Status:
    """The appliance at a glance.

    Raises:
        OcaError: It does not run, or does not answer as it should.
    """
    return _ask(listen, "GET", "/v1/status", Status)


def ask_quality(listen: str, by: By, limit: int) -> QualityPage:
    """What viewers had of late.

    Raises:
        OcaError: It does not run, or does not answer as it should.
    """
    return _ask(listen, "GET", f"/v1/quality?by={by}&limit={limit}", QualityPage)


def ask_routes(listen: str, limit: int) -> RoutesPage:
    """What is heard by BGP.

    Raises:
        OcaError: It does not run, or does not answer as it should.
    """
    return _ask(listen, "GET", f"/v1/routes?limit={limit}", RoutesPage)


def ask_hot(listen: str, limit: int) -> HotPage:
    """The assets that most was sent of in the last minute.

    Raises:
        OcaError: It does not run, or does not answer as it should.
    """
    return _ask(listen, "GET", f"/v1/hot?limit={limit}", HotPage)


def change_serving(listen: str, wanted: str, for_s: int = 0) -> ServingChange:
    """Ask for ``drain``, for so long or (0) until told otherwise, or for ``undrain``.

    Raises:
        OcaError: It does not run, or refuses.
    """
    return _ask(listen, "POST", f"/v1/{wanted}{f'?for_s={for_s}' if for_s else ''}", ServingChange)


def renew(listen: str, wanted: str) -> Renewal:
    """Ask for ``reload`` or ``upgrade``, and wait for the outcome.

    Raises:
        OcaError: It does not run, or does not answer.
    """
    return _ask(listen, "POST", f"/v1/{wanted}", Renewal, timeout_s=RENEWAL_TIMEOUT_S)


def ask_text(listen: str, path: str) -> str:
    """What the admin API answers, as it is, whatever its status.

    Raises:
        OcaError: It does not run.
    """
    return _exchange(parse_listen(listen, setting="admin.listen").reachable, "GET", path, TIMEOUT_S)[1].decode()


def _ask(listen: str, method: str, path: str, kind: type[Answer], *, timeout_s: float = TIMEOUT_S) -> Answer:
    endpoint = parse_listen(listen, setting="admin.listen").reachable
    status, raw = _exchange(endpoint, method, path, timeout_s)
    try:
        if status != 200:
            problem = msgspec.json.decode(raw, type=Problem)
            raise OcaError(f"{path}: {problem.title}", remedy=problem.remedy or "look at the appliance's log")
        return msgspec.json.decode(raw, type=kind)
    except msgspec.DecodeError:
        raise OcaError(
            f"what answers at http://{endpoint.authority} is no appliance of this version",
            remedy="check [admin] listen, and that daemon and command are of one version",
        ) from None


def _exchange(endpoint: Endpoint, method: str, path: str, timeout_s: float) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(endpoint.host, endpoint.port, timeout=timeout_s)
    headers = {"Content-Type": "application/json"} if method == "POST" else {}
    try:
        connection.request(method, path, body=b"{}" if method == "POST" else None, headers=headers)
        response = connection.getresponse()
        return response.status, response.read(ANSWER_BYTES_MAX)
    except (OSError, http.client.HTTPException) as error:
        what = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise OcaError(
            f"no appliance answers at http://{endpoint.authority}: {what}",
            remedy="start it with 'oca serve', or name its settings with --config",
        ) from None
    finally:
        connection.close()
