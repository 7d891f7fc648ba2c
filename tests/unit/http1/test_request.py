from oca.common.errors import ProtocolError
from oca.http1.request import FILL_AGENT, Fields, Limits, RequestError


def test_request_error_carries_reason_status_and_remedy() -> None:
    error = RequestError("target-too-long", "a target of 9000 bytes, limit 8192", status=414)
    assert isinstance(error, ProtocolError)
    assert (error.reason, error.status, error.source) == ("target-too-long", 414, "client")
    assert str(error) == "a target of 9000 bytes, limit 8192; send a well-formed request"


def test_fields_are_plain_until_something_changes_the_answer() -> None:
    assert Fields().plain
    assert not Fields().fill


def test_limits_bound_every_part_of_a_request() -> None:
    limits = Limits()
    assert limits.target_bytes_max < limits.head_bytes_max
    assert limits.fields_max > 20  # browsers send about 15


def test_fill_agent_is_a_product_token() -> None:
    assert FILL_AGENT.isascii()
    assert b" " not in FILL_AGENT
