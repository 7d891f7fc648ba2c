"""Asks those that a box depends on whether they can be reached and know it: steering, the origin, its own daemon."""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import urlsplit

import msgspec

from oca.admin.client import ask_routes, ask_status
from oca.common.box import Box
from oca.common.errors import OcaError
from oca.common.identity import Credentials
from oca.common.messages import Problem
from oca.common.refusal import PROBLEM_BYTES_MAX
from oca.turnup.finding import Finding, State
from oca.turnup.judge import judge_routes

TIMEOUT_S = 15.0


def check_steering(box: Box) -> Finding:
    """Whether steering answers, and gives this appliance its plan."""
    name = "steering"
    if not box.steering.url:
        return Finding(name=name, state="pass", why="none: the box stands alone and serves what its store holds")
    path = f"/v1/appliances/{box.appliance.id}/fill-plan"
    try:
        headers = Credentials(box.steering, box.appliance.id).headers("GET", path)
    except OcaError as error:
        return Finding(name=name, state="fail", why=error.message, mend=error.remedy)
    status, why = _ask(box.steering.url.rstrip("/") + path, "GET", headers)
    url = box.steering.url
    if not status:
        mend = f"curl -v {url}/health from here: is its address right, does a firewall stand between?"
        return Finding(name=name, state="fail", why=f"{url} cannot be reached: {why}", mend=mend)
    if status == 200:
        return Finding(name=name, state="pass", why=f"{url} knows {box.appliance.id} and gives it its plan")
    if status == 409:  # known and believed; it is asked for its plan before its first report
        mend = "systemctl enable --now oca.service oca-fill.timer, and check again"
        return Finding(
            name=name, state="warn", why=f"{url} knows {box.appliance.id}, and has no report of it", mend=mend
        )
    mend = f"add {box.appliance.id} to its [[site]] in steering.toml, then enrol this box with 'oca enrol --token'"
    return Finding(name=name, state="fail", why=f"{url} answers {status}{why and f': {why}'}", mend=mend)


def check_origin(url: str) -> Finding:
    """Whether the origin that misses are fetched from answers at all."""
    status, why = _ask(url, "HEAD", {})
    if status and status < 500:
        return Finding(name="origin", state="pass", why=f"{url} answers {status}")
    said = f"answers {status}" if status else f"cannot be reached: {why}"
    return Finding(name="origin", state="fail", why=f"{url} {said}", mend=f"curl -vI {url} from here")


def check_daemon(listen: str) -> tuple[Finding, int]:
    """Whether the daemon runs, and how it is; with the process id of a worker of its, or 0."""
    try:
        status = ask_status(listen)
    except OcaError as error:
        mend = "systemctl enable --now oca.service oca-fill.timer"
        return Finding(name="daemon", state="warn", why=error.message, mend=mend), 0
    worker = next((worker.pid for worker in status.workers if worker.ready), 0)
    why = f"{status.serving}, health {status.health.verdict}"
    if status.health.verdict == "ok":
        return Finding(name="daemon", state="pass", why=why), worker
    state: State = "fail" if status.health.verdict == "failed" else "warn"
    said = f"{why}: {'; '.join(status.health.reasons)}"
    return Finding(name="daemon", state=state, why=said, mend="oca status"), worker


def check_prefixes(listen: str) -> Iterator[Finding]:
    """What the daemon hears by BGP; nothing where it does not run, which is told already."""
    with suppress(OcaError):
        page = ask_routes(listen, 1)
        yield from judge_routes(page.routes, [(found.why, found.prefixes) for found in page.findings])


def _ask(url: str, method: str, headers: dict[str, str]) -> tuple[int, str]:
    """The status of an answer; 0 and why where there is none."""
    parts = urlsplit(url)
    make = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection: http.client.HTTPConnection | None = None
    try:
        connection = make(parts.hostname or "", parts.port, timeout=TIMEOUT_S)
        connection.request(method, parts.path or "/", headers=headers)
        answer = connection.getresponse()
        return answer.status, _title(answer.read(PROBLEM_BYTES_MAX)) if answer.status >= 400 else ""
    except ssl.SSLCertVerificationError as error:
        return 0, f"its certificate is not to be trusted: {error.verify_message}"
    except (OSError, http.client.HTTPException, ValueError) as error:
        return 0, str(getattr(error, "strerror", None) or error or type(error).__name__).lower()
    finally:
        if connection is not None:
            connection.close()


def _title(raw: bytes) -> str:
    """What a refusal says of itself (RFC 9457); empty where it says nothing."""
    try:
        return msgspec.json.decode(raw, type=Problem).title.lower()
    except msgspec.DecodeError:
        return ""
