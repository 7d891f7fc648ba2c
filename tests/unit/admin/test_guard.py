import pytest
from hypothesis import given
from hypothesis import strategies as st

from oca.admin.guard import refusal

JSON = "application/json"


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1:8088", "127.0.0.1", "localhost:8088", "LOCALHOST", "[::1]:8088", "[::1]", "192.0.2.9:1", "Box.example"],
)
def test_guard_lets_operator_in_by_address_or_known_name(host: str) -> None:
    assert refusal(method="GET", host=host, origin=None, content_type="", host_names=("box.Example",)) is None
    assert refusal(method="POST", host=host, origin=None, content_type=JSON, host_names=("box.Example",)) is None
    assert (
        refusal(method="POST", host=host, origin=f"http://{host}", content_type=JSON, host_names=["box.example"])
        is None
    )


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8088", "", "127.0.0.1.evil.example", "[evil]:1", "x" * 500]
)
def test_guard_refuses_name_that_is_not_its_own(host: str) -> None:
    problem = refusal(method="GET", host=host, origin=None, content_type="", host_names=())
    assert problem is not None
    assert problem.status == 421
    assert "[admin] host_names" in problem.remedy
    assert len(problem.title) < 200


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_guard_refuses_change_that_form_could_send(content_type: str) -> None:
    problem = refusal(method="POST", host="127.0.0.1", origin=None, content_type=content_type, host_names=())
    assert problem is not None
    assert problem.status == 415


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "", "http://127.0.0.1:9"])
def test_guard_refuses_change_from_other_pages(origin: str) -> None:
    problem = refusal(method="POST", host="127.0.0.1:8088", origin=origin, content_type=JSON, host_names=())
    assert problem is not None
    assert problem.status == 403


@given(st.text(max_size=60), st.none() | st.text(max_size=60), st.text(max_size=40), st.sampled_from(["GET", "POST"]))
def test_guard_answers_any_headers(host: str, origin: str | None, content_type: str, method: str) -> None:
    problem = refusal(method=method, host=host, origin=origin, content_type=content_type, host_names=())
    assert problem is None or problem.status in (403, 415, 421)
