from __future__ import annotations

import msgspec
import pytest

from oca.common.enrolment import EnrolRequest, renewal

GOOD = {"token": f"fra1-a.{'x' * 43}", "key": "A" * 43}


@pytest.mark.parametrize(
    "wrong", [{"token": "fra1-a"}, {"token": f"Fra1.{'x' * 43}"}, {"token": f"fra1-a.{'x' * 44}"}, {"key": "A" * 42}]
)
def test_enrol_request_of_another_form_is_refused(wrong: dict[str, str]) -> None:
    msgspec.convert(GOOD, EnrolRequest)
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(GOOD | wrong, EnrolRequest)


def test_enrol_request_never_shows_its_token() -> None:
    assert "x" * 43 not in repr(msgspec.convert(GOOD, EnrolRequest))


def test_renewal_names_box_and_both_keys() -> None:
    assert len({renewal("a", "b", "c"), renewal("a", "c", "b"), renewal("b", "a", "c")}) == 3
