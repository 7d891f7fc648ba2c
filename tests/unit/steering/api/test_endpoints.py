from __future__ import annotations

from steering.api.endpoints import Query, declared, endpoint, handlers


class Part:
    @endpoint("GET", "/a", gives=int)
    def first(self) -> str:
        """The first.

        Of two.
        """
        return "one"

    @endpoint("POST", "/b/{name}", takes=str, status=204, refuses=(404,), query=(Query("q", "Which."),))
    def second(self) -> str:
        """The second."""
        return "two"

    def third(self) -> None:
        """No endpoint."""


def test_endpoints_are_found_in_order_with_what_was_declared() -> None:
    first, second = declared(Part)
    assert (first.method, first.path, first.name, first.meaning) == ("GET", "/a", "first", "The first. Of two.")
    assert (first.takes, first.gives, first.status, first.refuses, first.query) == (None, int, 200, (), ())
    assert (second.takes, second.gives, second.status, second.refuses) == (str, None, 204, (404,))
    assert second.query[0].name == "q"


def test_handlers_belong_to_the_object() -> None:
    assert [(found.name, handler()) for found, handler in handlers(Part())] == [("first", "one"), ("second", "two")]


def test_endpoint_without_docstring_says_nothing() -> None:
    def mute() -> None: ...

    endpoint("GET", "/")(mute)
    (found,) = declared(type("Other", (), {"mute": mute}))
    assert found.meaning == ""
