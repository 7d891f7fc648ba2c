"""Makes this box's own key and has steering know it: by a one-time token, or by the key that is there already.

The new key lies beside the identity until steering has taken it. Whatever is lost on the way, the same command once
more ends well: steering takes the same key with the same token again.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
import msgspec
from yarl import URL

from oca.common.box import ApplianceTable, SteeringTable
from oca.common.clock import now_ns
from oca.common.enrolment import Enrolled, EnrolRequest, RenewRequest, renewal
from oca.common.errors import ConfigError, OcaError, SteeringError
from oca.common.http_signature import private_text, public_text, read_private, sign, sign_text, thumbprint
from oca.common.identity import Identity, read_identity
from oca.common.new_key import new_pair
from oca.common.refusal import read_refusal
from oca.common.unreachable import failure
from oca.store import files

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ANSWER_BYTES_MAX = 64 * 1024
_decode = msgspec.json.Decoder(Enrolled).decode
_encode = msgspec.json.Encoder().encode


def enrol(appliance: ApplianceTable, steering: SteeringTable, token: str) -> Enrolled:
    """Exchange a one-time token for an identity.

    Raises:
        ConfigError: The settings name no steering or no file, or the token is of another appliance.
        StoreError: The file cannot be written.
        SteeringError: Steering cannot be reached, or refuses.
    """
    _refuse_settings(steering)
    try:
        named = msgspec.convert({"token": token, "key": "A" * 43}, EnrolRequest).token.partition(".")[0]
    except msgspec.ValidationError:
        raise ConfigError(
            "--token: is no enrolment token", remedy="pass what 'oca-steering enrol create' printed, whole"
        ) from None
    if named != appliance.id:
        raise ConfigError(
            f"--token: is for {named}, and this box is {appliance.id}",
            remedy=f"make one with 'oca-steering enrol create --appliance {appliance.id}', or correct appliance.id",
        )
    private = _pending(steering, appliance)
    body = _encode(EnrolRequest(token=token, key=public_text(private)))
    answer = _ask(appliance, steering, "enrol", body, private)
    _keep(steering, appliance, private)
    return answer


def renew(appliance: ApplianceTable, steering: SteeringTable) -> Enrolled:
    """Put a new key in place of the present one, which vouches for it.

    Raises:
        ConfigError: The settings name no steering or no file, or this box is not enrolled.
        StoreError: The file cannot be written.
        SteeringError: Steering cannot be reached, or refuses.
    """
    _refuse_settings(steering)
    present = read_identity(steering.identity_file, appliance=appliance.id)
    if present is None:
        raise ConfigError(
            f"steering.identity_file = {steering.identity_file!r}: this box is not enrolled",
            remedy=f"make a token with 'oca-steering enrol create --appliance {appliance.id}', then pass it to --token",
        )
    private, old = _pending(steering, appliance), read_private(present.private)
    key = public_text(private)
    proof = sign_text(private, renewal(appliance.id, thumbprint(public_text(old)), key))
    answer = _ask(appliance, steering, "renew", _encode(RenewRequest(key=key, proof=proof)), old)
    _keep(steering, appliance, private)
    return answer


def _refuse_settings(steering: SteeringTable) -> None:
    if not steering.url:
        raise ConfigError("steering.url is empty: there is nobody to enrol with", remedy="set url under [steering]")
    if not steering.identity_file:
        raise ConfigError(
            "steering.identity_file is empty: there is nowhere to keep a key", remedy="name a file under [steering]"
        )


def _pending(steering: SteeringTable, appliance: ApplianceTable) -> Ed25519PrivateKey:
    """The key that a command before this one made and did not come to use, or a new one, on disk before it is told."""
    path = _pending_path(steering)
    try:
        found = read_identity(str(path), appliance=appliance.id)
    except ConfigError:
        found = None
    if found is not None:
        return read_private(found.private)
    private = new_pair()
    _write(path, appliance, private)
    return private


def _pending_path(steering: SteeringTable) -> Path:
    path = Path(steering.identity_file)
    return path.with_name(f"{path.name}.pending")


def _keep(steering: SteeringTable, appliance: ApplianceTable, private: Ed25519PrivateKey) -> None:
    _write(Path(steering.identity_file), appliance, private)
    files.remove(_pending_path(steering))


def _write(path: Path, appliance: ApplianceTable, private: Ed25519PrivateKey) -> None:
    keyid = thumbprint(public_text(private))
    identity = Identity(appliance=appliance.id, keyid=keyid, private=private_text(private))
    try:
        files.write_secret(path, _encode(identity) + b"\n")
        if os.geteuid() == 0:  # an administrator enrols; the daemon, whose folder it is, reads
            owner = path.parent.stat()
            os.chown(path, owner.st_uid, owner.st_gid)
    except OSError as error:
        raise _unwritable(path, error.strerror or str(error)) from None
    except OcaError as error:
        raise _unwritable(path, error.message.rpartition(": ")[2]) from None


def _unwritable(path: Path, why: str) -> ConfigError:
    return ConfigError(
        f"steering.identity_file: {str(path)!r} cannot be written: {why.lower()}",
        remedy=f"make the folder {path.parent}, owned by the user of oca serve, and run this as that user or as root",
    )


def _ask(
    appliance: ApplianceTable, steering: SteeringTable, what: str, body: bytes, private: Ed25519PrivateKey
) -> Enrolled:
    path = f"/v1/appliances/{appliance.id}/{what}"
    at_ns = now_ns()
    headers = sign(private, "POST", path, body=body, created_s=at_ns // 10**9, nonce=f"{at_ns:x}")
    url = steering.url.rstrip("/") + path
    status, raw = asyncio.run(_post(url, body, headers | {"Content-Type": "application/json"}, steering.timeout_s))
    if status != 200:
        refused = read_refusal(raw)
        raise SteeringError(
            f"{url}: answers {status}" + (f": {refused.said}" if refused.said else ""),
            remedy=refused.remedy or "check that [steering] url is steering's, and look at its log",
        )
    try:
        answer = _decode(raw)
    except msgspec.DecodeError as error:
        raise SteeringError(
            f"{url}: the answer is not as agreed: {error}", remedy="check that [steering] url is steering's"
        ) from None
    if answer.site != appliance.site:
        raise SteeringError(
            f"steering has {appliance.id} in site {answer.site}, and appliance.site is {appliance.site}",
            remedy="correct one of them, then run this again",
        )
    return answer


async def _post(url: str, body: bytes, headers: dict[str, str], timeout_s: float) -> tuple[int, bytes]:
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=timeout_s)) as session,
            session.post(URL(url, encoded=True), data=body, headers=headers, allow_redirects=False) as response,
        ):
            return response.status, await response.content.read(ANSWER_BYTES_MAX)
    except TimeoutError:
        why = f"no answer within {timeout_s:g} s"
    except aiohttp.ClientError as error:
        why = failure(error) or type(error).__name__
    raise SteeringError(f"{url}: {why}", remedy="check [steering] url, and that steering runs and can be reached")
