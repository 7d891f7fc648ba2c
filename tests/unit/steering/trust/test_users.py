from __future__ import annotations

from typing import Literal

import pytest

from steering.state.embedded import EmbeddedState
from steering.trust.roles import Role
from steering.trust.users import (
    Login,
    User,
    change_role,
    end_login,
    end_logins,
    login_of,
    logins,
    open_login,
    password_fault,
    password_holds,
    put_user,
    remove_user,
    user_of,
    users,
)

PASSWORD = "four words put together"


def add(state: EmbeddedState, name: str = "anna", role: Role = "operate", password: str = PASSWORD) -> User:
    with state.write() as transaction:
        put_user(transaction, name, role, password, f"salt of {name}", now_ns=1)
    user = user_of(state, name)
    assert user is not None
    return user


def log_in(
    state: EmbeddedState,
    secret: str,
    name: str = "anna",
    *,
    kind: Literal["session", "token"] = "session",
    made_at_ns: int = 0,
) -> None:
    login = Login(user=name, kind=kind, label="here", made_at_ns=made_at_ns, ends_at_ns=made_at_ns + 100)
    with state.write() as transaction:
        open_login(transaction, secret, login)


def test_password_proves_its_user_alone(state: EmbeddedState) -> None:
    anna, otto = add(state), add(state, "otto")
    assert password_holds(anna, PASSWORD)
    assert not password_holds(anna, PASSWORD + " ")
    assert not password_holds(None, PASSWORD)
    assert anna.password != otto.password  # salted
    assert PASSWORD not in repr(anna)
    assert [user.name for user in users(state)] == ["anna", "otto"]


def test_secrets_are_kept_as_digests_alone(state: EmbeddedState) -> None:
    add(state)
    log_in(state, "a-session-secret")
    raw = b"".join(key.encode() + value for key, value in state.scan(""))
    assert PASSWORD.encode() not in raw
    assert b"a-session-secret" not in raw


def test_login_is_good_until_it_ends(state: EmbeddedState) -> None:
    user = add(state)
    log_in(state, "s1")
    found = login_of(state, "s1", now_ns=99)
    assert found is not None
    assert found[0] == user
    assert login_of(state, "s1", now_ns=100) is None
    assert login_of(state, "s2", now_ns=99) is None
    with state.write() as transaction:
        end_login(transaction, "s1")
    assert login_of(state, "s1", now_ns=99) is None


def test_logins_that_ended_are_dropped_with_the_next(state: EmbeddedState) -> None:
    add(state)
    log_in(state, "s1")
    log_in(state, "s2", made_at_ns=100)
    assert len(list(state.scan("login/"))) == 1


def test_new_password_and_removal_log_out(state: EmbeddedState) -> None:
    for end in (lambda: add(state, password="another set of words"), lambda: _remove(state)):
        add(state)
        add(state, "otto")
        log_in(state, "s1")
        log_in(state, "s2", "otto")
        end()
        assert login_of(state, "s1", now_ns=1) is None
        assert login_of(state, "s2", now_ns=1) is not None


def _remove(state: EmbeddedState) -> None:
    with state.write() as transaction:
        remove_user(transaction, "anna")


def test_login_of_a_user_that_is_gone_is_none(state: EmbeddedState) -> None:
    log_in(state, "s1", "nobody")
    assert login_of(state, "s1", now_ns=1) is None


def test_tokens_end_by_their_label(state: EmbeddedState) -> None:
    add(state)
    log_in(state, "t1", kind="token")
    log_in(state, "s1")
    assert [login.kind for login in logins(state, "token", now_ns=1)] == ["token"]
    with state.write() as transaction:
        assert end_logins(transaction, "anna", label="elsewhere") == 0
        assert end_logins(transaction, "anna", label="here") == 1
    assert login_of(state, "t1", now_ns=1) is None
    assert login_of(state, "s1", now_ns=1) is not None


def test_role_changes_with_the_next_request(state: EmbeddedState) -> None:
    user = add(state)
    log_in(state, "s1")
    with state.write() as transaction:
        change_role(transaction, user, "read")
    found = login_of(state, "s1", now_ns=1)
    assert found is not None
    assert found[0].role == "read"


@pytest.mark.parametrize(
    ("password", "fault"),
    [
        ("four words put together", ""),
        ("0123456789", ""),
        ("short", "has 5 characters; 10 to 200 are allowed"),
        ("x" * 201, "has 201 characters; 10 to 200 are allowed"),
        ("aaaaaaaaaaaa", "holds the user's name, or one sign alone"),
        ("xx anna xx 1", "holds the user's name, or one sign alone"),
    ],
)
def test_password_is_judged_by_length_first(password: str, fault: str) -> None:
    assert password_fault(password, "anna") == fault
