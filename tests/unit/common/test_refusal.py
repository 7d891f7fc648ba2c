import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oca.common.messages import Problem
from oca.common.refusal import PART_CHARACTERS_MAX, Refused, read_refusal


def encoded(**fields: str) -> bytes:
    return msgspec.json.encode(Problem(status=400, **fields))


@pytest.mark.parametrize(
    ("raw", "refused"),
    [
        (encoded(title="No", detail="who are you", remedy="enrol"), Refused("No: who are you", "enrol")),
        (encoded(title="No"), Refused("No", "")),
        (encoded(title="", detail="why"), Refused("why", "")),
        (b"unknown\r\n  appliance\n", Refused("unknown appliance", "")),
        (b'{"error": "no"}', Refused('{"error": "no"}', "")),
        (b"", Refused("", "")),
        (b"\xff\x1b[2Jgone", Refused("\ufffd [2Jgone", "")),
    ],
)
def test_refusal_tells_what_was_said_and_what_to_do(raw: bytes, refused: Refused) -> None:
    assert read_refusal(raw) == refused


@given(st.binary(max_size=400) | st.builds(encoded, title=st.text(), detail=st.text(), remedy=st.text()))
def test_refusal_is_always_two_short_lines(raw: bytes) -> None:
    said, remedy = read_refusal(raw)
    assert (said + remedy).isprintable()
    assert len(said) <= 2 * PART_CHARACTERS_MAX + 2
    assert len(remedy) <= PART_CHARACTERS_MAX
