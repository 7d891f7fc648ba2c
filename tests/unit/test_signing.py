import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import structs

from oca import signing as module
from oca.common.errors import ConfigError
from oca.common.jwk import Jwk, JwkSet, SigningPolicy
from oca.delivery.authorisation import Authorisation
from oca.delivery.authorisation_settings import AuthorisationTable
from oca.signing import POLICY_FILE, SigningState, read_keys_file
from oca.store import files
from tests.unit.common.signing_keys import ENC, ES, HS, STRANGER
from tests.waiting import WAIT_S, wait_until

POLICY = SigningPolicy(revision="1" * 32, enforce="required", issuer="steering", path_element="t", keys=[ES.public()])


class Told:
    def __init__(self, *devices: Path, **settings: Any) -> None:
        self.told: list[Authorisation] = []
        self.state = SigningState(AuthorisationTable(**settings), devices, self.told.append)


def write(path: Path, *keys: Jwk) -> Path:
    path.write_bytes(msgspec.json.encode(JwkSet(list(keys))))
    return path


def test_state_keeps_policy_for_a_start_without_steering(tmp_path: Path) -> None:
    first = Told(tmp_path)
    assert (first.state.policy, first.told) == (None, [Authorisation()])
    first.state.take(POLICY)
    assert first.told[-1].policy == POLICY
    assert (tmp_path / POLICY_FILE).stat().st_mode & 0o777 == 0o600
    second = Told(tmp_path)
    assert second.state.policy == POLICY
    assert second.told == [Authorisation(policy=POLICY)]
    assert second.state.reason == ""


def test_state_puts_secret_in_place_of_file_that_others_may_read(tmp_path: Path) -> None:
    for name in (POLICY_FILE, f"{POLICY_FILE}.new"):
        (tmp_path / name).write_bytes(b"old")
        (tmp_path / name).chmod(0o644)
    Told(tmp_path).state.take(POLICY)
    assert [(path.name, path.stat().st_mode & 0o777) for path in tmp_path.iterdir()] == [(POLICY_FILE, 0o600)]


@pytest.mark.parametrize("raw", [b"", b"{}", b"\xff", b'{"revision":"x"}'])
def test_state_starts_without_what_it_cannot_read(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / POLICY_FILE).write_bytes(raw)
    it = Told(tmp_path)
    assert it.state.policy is None
    assert "answered 404 until steering says it again" in it.state.reason
    it.state.take(POLICY)
    assert it.state.reason == ""


@pytest.fixture
def devices(tmp_path: Path) -> list[Path]:
    made = [tmp_path / name for name in ("first", "second")]
    for device in made:
        device.mkdir()
    return made


def test_state_outlives_loss_of_any_device(devices: list[Path]) -> None:
    Told(*devices).state.take(POLICY)
    for device in devices:
        (device / POLICY_FILE).rename(device / "lost")
        again = Told(*devices)
        assert (again.state.policy, again.state.reason) == (POLICY, "")
        (device / "lost").rename(device / POLICY_FILE)


def test_state_goes_by_latest_where_devices_differ(devices: list[Path]) -> None:
    first, second = devices
    Told(*devices).state.take(POLICY)
    later = structs.replace(POLICY, revision="2" * 32)
    Told(second).state.take(later)
    written = (first / POLICY_FILE).stat().st_mtime
    os.utime(second / POLICY_FILE, (written + 1, written + 1))
    assert Told(*devices).state.policy == Told(second, first).state.policy == later


def test_state_waits_for_no_device_that_hangs(devices: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    well, write, read = threading.Event(), files.write_secret, module._read_policy

    def hung(call: Callable[..., Any]) -> Callable[..., Any]:
        def wait(file: Path, *rest: Any) -> Any:
            if file.parent == devices[0]:
                well.wait()
            return call(file, *rest)

        return wait

    monkeypatch.setattr(module, "ANSWER_S", 0.1)
    monkeypatch.setattr(files, "write_secret", hung(write))
    monkeypatch.setattr(module, "_read_policy", hung(read))
    it = Told(*devices)
    it.state.take(POLICY)
    assert it.told[-1].policy == POLICY
    wait_until(lambda: Told(*devices).state.policy == POLICY)
    well.set()
    monkeypatch.setattr(module, "ANSWER_S", WAIT_S)
    later = structs.replace(POLICY, revision="2" * 32)
    it.state.take(later)
    assert [Told(device).state.policy for device in devices] == [later, later]


def test_state_takes_no_policy_that_workers_could_not_load(tmp_path: Path) -> None:
    it = Told(tmp_path)
    it.state.take(POLICY)
    for bad in (structs.replace(ES.public(), x=ES.y), structs.replace(HS, k=ENC.k)):
        it.state.take(structs.replace(POLICY, revision="2" * 32, keys=[bad]))
        assert it.state.policy == POLICY
    assert len(it.told) == 2


def test_state_serves_on_where_policy_cannot_be_kept(tmp_path: Path) -> None:
    it = Told(tmp_path / "gone")
    it.state.take(POLICY)
    assert it.told[-1].policy == POLICY


def test_state_leaves_steering_aside_where_box_is_off(tmp_path: Path) -> None:
    Told(tmp_path).state.take(POLICY)
    it = Told(tmp_path, mode="off")
    it.state.take(POLICY)
    it.state.look()
    assert it.told == [Authorisation()]
    assert it.state.policy is None


def test_state_reads_file_of_keys_again_when_it_changes(tmp_path: Path) -> None:
    file = write(tmp_path / "keys.json", ES.public())
    it = Told(tmp_path, mode="required", keys_file=str(file))
    assert it.told == [Authorisation(keys=(ES.public(),))]
    it.state.look()
    assert len(it.told) == 1
    write(tmp_path / "next.json", ES.public(), HS).rename(file)
    it.state.look()
    assert it.told[-1] == Authorisation(keys=(ES.public(), HS))


def test_state_takes_up_another_file_of_keys_and_another_mode(tmp_path: Path) -> None:
    first, second = write(tmp_path / "first.json", HS), write(tmp_path / "second.json", STRANGER)
    it = Told(tmp_path, mode="required", keys_file=str(first))
    it.state.take_up(AuthorisationTable(mode="required", keys_file=str(first)))
    assert it.told == [Authorisation(keys=(HS,))]
    it.state.take_up(AuthorisationTable(mode="required", keys_file=str(second)))
    assert it.told[-1] == Authorisation(keys=(STRANGER,))
    it.state.take_up(AuthorisationTable(mode="required", keys_file=str(tmp_path / "none.json")))
    assert it.told[-1] == Authorisation(keys=(STRANGER,))
    assert "none.json: cannot be read" in it.state.reason
    it.state.take_up(AuthorisationTable(mode="off"))
    assert (it.told[-1], it.state.reason) == (Authorisation(), "")
    it.state.take_up(AuthorisationTable(mode="required"))
    assert (it.told[-1], "no key is here" in it.state.reason) == (Authorisation(), True)


def test_state_finds_what_steering_said_when_it_is_switched_on(tmp_path: Path) -> None:
    Told(tmp_path).state.take(POLICY)
    it = Told(tmp_path, mode="off")
    it.state.take_up(AuthorisationTable())
    assert it.told[-1] == Authorisation(policy=POLICY)


def test_state_goes_on_with_old_keys_where_new_ones_are_none(tmp_path: Path) -> None:
    file = write(tmp_path / "keys.json", HS)
    it = Told(tmp_path, mode="required", keys_file=str(file))
    for spoil in (lambda: file.write_text("{"), lambda: write(file, structs.replace(HS, k="AA")), file.unlink):
        spoil()
        it.state.look()
        assert len(it.told) == 1
        assert str(file) in it.state.reason
        assert HS.k not in it.state.reason
    write(file, HS)
    it.state.look()
    assert it.state.reason == ""


def test_state_says_that_it_refuses_everybody_for_want_of_a_key(tmp_path: Path) -> None:
    it = Told(tmp_path, mode="required")
    assert "no key is here" in it.state.reason
    it.state.take(POLICY)
    assert it.state.reason == ""
    it.state.take(structs.replace(POLICY, revision="3" * 32, keys=[ENC]))
    assert "no key is here" in it.state.reason
    assert Told(tmp_path / "other").state.reason == ""


def test_state_refuses_start_with_file_that_is_none(tmp_path: Path) -> None:
    for raw, wanted in (
        (None, "cannot be read: No such file"),
        (b"{", "no JWK set"),
        (b'{"keys":[{"kty":"RSA","kid":"a","alg":"RS256"}]}', r"no JWK set .* at \$\.keys\[0\]\.(kty|alg)"),
        (b" " * (2**18 + 1), "no JWK set"),
        (msgspec.json.encode(JwkSet([ES, STRANGER])), "two keys have the kid es"),
    ):
        file = tmp_path / "keys.json"
        if raw is not None:
            file.write_bytes(raw)
        with pytest.raises(ConfigError, match=wanted) as caught:
            Told(tmp_path, keys_file=str(file))
        assert ES.d not in str(caught.value)
    assert read_keys_file("") == ()
