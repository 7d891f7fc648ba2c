import pytest

from oca.common.errors import ConfigError, OcaError, ProtocolError, SteeringError, StoreError, StoreFullError


def test_error_shows_message_and_remedy() -> None:
    error = StoreError("disk.pack: cut short", remedy="run 'oca store verify'")
    assert str(error) == "disk.pack: cut short; run 'oca store verify'"
    assert (error.message, error.remedy) == ("disk.pack: cut short", "run 'oca store verify'")


@pytest.mark.parametrize(
    ("family", "source"),
    [
        (ConfigError, "operator"),
        (StoreError, "internal"),
        (SteeringError, "upstream"),
    ],
)
def test_error_family_says_whose_doing_it_is(family: type[OcaError], source: str) -> None:
    assert family.source == source


def test_protocol_error_carries_status_of_answer() -> None:
    error = ProtocolError("two Host fields", status=400)
    assert (error.status, error.source, error.remedy) == (400, "client", "send a well-formed request")


def test_store_full_error_tells_room_that_is_left() -> None:
    error = StoreFullError("no room", remedy="evict", free_bytes={0: 12})
    assert (error.free_bytes, isinstance(error, StoreError)) == ({0: 12}, True)
