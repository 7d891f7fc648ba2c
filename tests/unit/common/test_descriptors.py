from __future__ import annotations

import resource
from collections.abc import Iterator

import pytest

from oca.common.descriptors import raise_limit


@pytest.fixture(autouse=True)
def limits() -> Iterator[tuple[int, int]]:
    """The limits as they are, put back afterwards."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield before
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_limit_is_raised_to_the_hard_one(limits: tuple[int, int]) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, limits[1]))
    assert raise_limit() == resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == limits[1]


def test_limit_stays_where_the_kernel_grants_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(kind: int, limits: tuple[int, int]) -> None:
        raise ValueError(kind, limits)

    with monkeypatch.context() as patched:
        patched.setattr(resource, "getrlimit", lambda kind: (1024, resource.RLIM_INFINITY))
        patched.setattr(resource, "setrlimit", refuse)
        assert raise_limit() == 1024
        patched.setattr(resource, "setrlimit", lambda kind, limits: None)
        assert raise_limit() == 2**31 - 1
