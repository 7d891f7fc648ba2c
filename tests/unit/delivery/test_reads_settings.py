import msgspec
import pytest

from oca.delivery.reads_settings import ReadsTable


@pytest.mark.parametrize(
    "beyond", [{"threads": 0}, {"queue_max": 0}, {"timeout_s": 0.0}, {"ahead_bytes_max": -1}, {"threads": 65}]
)
def test_reads_table_refuses_what_is_out_of_bounds(beyond: dict[str, float]) -> None:
    assert msgspec.convert({}, ReadsTable) == ReadsTable()
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(beyond, ReadsTable)
