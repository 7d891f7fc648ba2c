"""Keys of signed URLs at the appliance: from steering and from a file of its own, kept, and handed to the workers.

What steering gave is kept on every device that takes it, readable by the owner alone: an appliance that starts while
steering is away goes on judging by it, whichever device has died. Devices are asked in threads: one may hang.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import msgspec

from oca.common.errands import Errands, Outstanding
from oca.common.errors import ConfigError
from oca.common.jwk import Jwk, JwkSet, SigningPolicy
from oca.common.log import get_logger
from oca.delivery.authorisation import Authorisation
from oca.delivery.authorisation_settings import AuthorisationTable
from oca.store import files

POLICY_FILE = "signing-policy.json"
KEYS_BYTES_MAX = 2**18
ANSWER_S = 1.0
"""How long devices may take to give or take the policy."""
_UNREADABLE = (
    "what steering said of signed URLs cannot be read here: signed URLs are answered 404 until steering says it again; "
    "see the log for the file"
)
_UNSEEN = (-2, -2)
_log = get_logger("signing")
_policies = msgspec.json.Decoder(SigningPolicy)
_sets = msgspec.json.Decoder(JwkSet)


class SigningState:
    """What the workers are to go by."""

    def __init__(
        self, settings: AuthorisationTable, devices: Sequence[Path], tell: Callable[[Authorisation], None]
    ) -> None:
        """Take up what is there, and tell the workers.

        Args:
            settings: Whether tokens are needed, and the file of keys.
            devices: Where steering's policy is kept.
            tell: Hands it to the workers.

        Raises:
            ConfigError: The file of keys cannot be used.
        """
        self._settings = settings
        self._files = [device / POLICY_FILE for device in devices]
        self._writing: Errands[Path, str] = Errands(name="signing policy")
        self._tell = tell
        self._seen: tuple[int, int] = (0, 0)
        self._keys: tuple[Jwk, ...] = ()
        self._fault = ""
        self.policy: SigningPolicy | None = None
        if settings.mode != "off":
            self.policy = self._kept()
            self._seen = _stamp(settings.keys_file)
            self._keys = read_keys_file(settings.keys_file)
            _check(self._keys, self.policy, settings.keys_file)
        self._hand_down()

    @property
    def reason(self) -> str:
        """What is amiss, for the box's health; empty: nothing."""
        told = Authorisation(keys=self._keys, policy=self.policy)
        asked = told.enforcement(self._settings)
        if asked in ("required", "by-mount") and not any(key.signs for key in self._every_key()):
            return "signed URLs are required and no key is here: every viewer is refused; see docs/signing.md"
        return self._fault

    def take(self, policy: SigningPolicy) -> None:
        """Go by ``policy``: keep it first, so that no worker asks for what a restart would have forgotten."""
        if self._settings.mode == "off":
            return
        try:
            _check(self._keys, policy, self._settings.keys_file)
        except ConfigError as error:
            _log.error("steering's keys are not taken", error=error.message, remedy="see steering's log")
            return
        writes = {file: partial(_write_policy, file, policy) for file in self._files}
        told = self._writing.ask(writes, timeout_s=ANSWER_S)
        # A device that hung at the policy before this one tells only now of that; it can be asked anew.
        late = [file for file, answer in told.items() if isinstance(answer, str) and answer != policy.revision]
        told |= self._writing.ask({file: writes[file] for file in late}, timeout_s=ANSWER_S)
        if policy.revision not in told.values():
            _log.warning("keys of signed URLs will not outlive a restart", errors=list(map(_said, told.values())))
        if self.policy is None:
            self._fault = ""
        self.policy = policy
        self._hand_down()
        _log.info("signed URLs", enforce=policy.enforce, keys=[key.kid for key in policy.keys])

    def take_up(self, settings: AuthorisationTable) -> None:
        """Go by changed settings; a file of keys that cannot be used leaves the keys as they were."""
        if settings == self._settings:
            return
        self._settings, self._fault, self._seen = settings, "", _UNSEEN
        if settings.mode == "off":
            self.policy, self._keys = None, ()
        else:
            self.look()
            self.policy = self.policy or self._kept()
        self._hand_down()

    def look(self) -> None:
        """Read the file of keys again if it changed; one that cannot be used leaves things as they are."""
        stamp = _stamp(self._settings.keys_file)
        if stamp == self._seen or self._settings.mode == "off":
            return
        self._seen = stamp
        try:
            keys = read_keys_file(self._settings.keys_file)
            _check(keys, self.policy, self._settings.keys_file)
        except ConfigError as error:
            self._fault = f"{error.message}: the keys read before go on"
            _log.error("the file of keys is not taken", error=error.message, remedy=error.remedy)
            return
        self._fault = ""
        self._keys = keys
        self._hand_down()
        _log.info("file of keys read again", keys=[key.kid for key in keys])

    def _hand_down(self) -> None:
        self._tell(Authorisation(keys=self._keys, policy=self.policy))

    def _every_key(self) -> list[Jwk]:
        return [*self._keys, *(self.policy.keys if self.policy is not None else ())]

    def _kept(self) -> SigningPolicy | None:
        """The latest that a device has."""
        reading: Errands[Path, tuple[int, SigningPolicy] | None] = Errands(name="signing policy")
        told = reading.ask({file: partial(_read_policy, file) for file in self._files}, timeout_s=ANSWER_S)
        found = [answer for answer in told.values() if isinstance(answer, tuple)]
        for file, answer in told.items():
            if isinstance(answer, Exception | Outstanding):
                _log.error("what steering said of signed URLs cannot be read", file=str(file), error=_said(answer))
                self._fault = "" if found else _UNREADABLE
        return max(found, key=lambda each: each[0])[1] if found else None


def _read_policy(file: Path) -> tuple[int, SigningPolicy] | None:
    """When the policy in ``file`` was written, and what it is; None: there is none."""
    try:
        return file.stat().st_mtime_ns, _policies.decode(file.read_bytes())
    except FileNotFoundError:
        return None


def _write_policy(file: Path, policy: SigningPolicy) -> str:
    """Keep ``policy`` in ``file``; its revision."""
    files.write_secret(file, msgspec.json.encode(policy))
    return policy.revision


def _said(answer: object) -> str:
    """Why a device gave or took nothing."""
    if isinstance(answer, Outstanding):
        return f"the device {answer}"
    if isinstance(answer, msgspec.DecodeError):
        return "not as this version wrote it"
    return str(answer)


def read_keys_file(path: str, named_by: str = "[delivery.authorisation] keys_file") -> tuple[Jwk, ...]:
    """The keys in a JWK set; none where ``path`` is empty.

    Args:
        path: The file.
        named_by: The setting or flag that names it, for whoever has to mend that.

    Raises:
        ConfigError: It cannot be read, or is none. Nothing of it is shown.
    """
    if not path:
        return ()
    try:
        with Path(path).open("rb") as file:
            raw = file.read(KEYS_BYTES_MAX + 1)
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be read: {error.strerror}",
            remedy=f"check {named_by} and the file's permissions; 'oca token key' makes one",
        ) from None
    try:
        if len(raw) > KEYS_BYTES_MAX:
            raise msgspec.DecodeError("too large")  # noqa: TRY301 - all that is no key set is told alike
        return tuple(_sets.decode(raw).keys)
    except msgspec.DecodeError as error:
        where = f" at {place.rstrip('`')}" if (place := str(error).partition(" - at `")[2]) else ""
        raise ConfigError(
            f"{path}: no JWK set of ES256, HS256 or A128GCM/A256GCM keys{where}",
            remedy="make keys by 'oca token key', or name the file that holds them",
        ) from None


def _check(keys: tuple[Jwk, ...], policy: SigningPolicy | None, file: str) -> None:
    """Refuse now what a worker could not load.

    Raises:
        ConfigError: A key is none, or two have one name.
    """
    if not keys and policy is None:
        return
    from oca.common.keyring import KeyRing  # noqa: PLC0415 - loads cryptography, which is not needed without keys

    ring = KeyRing()
    ring.add(keys, source=file)
    if policy is not None:
        ring.add(policy.keys, source="steering")


def _stamp(path: str) -> tuple[int, int]:
    """Tells whether the file is another than before."""
    try:
        found = Path(path).stat() if path else None
    except OSError:
        return (-1, -1)
    return (found.st_mtime_ns, found.st_ino) if found is not None else (0, 0)
