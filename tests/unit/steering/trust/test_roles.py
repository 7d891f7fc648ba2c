from __future__ import annotations

from steering.trust.roles import ROLES, may


def test_roles_include_those_before_them() -> None:
    assert [(mine, wanted) for mine in ROLES for wanted in ROLES if may(mine, wanted)] == [
        ("read", "read"), ("operate", "read"), ("operate", "operate"),
        ("admin", "read"), ("admin", "operate"), ("admin", "admin"),
    ]  # fmt: skip
