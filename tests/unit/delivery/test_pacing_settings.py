import pytest

from oca.delivery.pacing_settings import PacingTable


def test_pacing_table_refuses_bounds_that_cross() -> None:
    with pytest.raises(ValueError, match="lower the floor"):
        PacingTable(floor_mbits_per_s=10, ceiling_mbits_per_s=5)
