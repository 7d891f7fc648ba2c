import pytest

from oca.delivery.pacing_settings import CmsdTable, PacingTable
from oca.delivery.settings import DeliveryTable


def test_pacing_table_refuses_bounds_that_cross() -> None:
    with pytest.raises(ValueError, match="lower the floor"):
        PacingTable(floor_mbits_per_s=10, ceiling_mbits_per_s=5)


def test_cmsd_table_refuses_ladder_upside_down() -> None:
    with pytest.raises(ValueError, match="swap them"):
        CmsdTable(shed_lowest_mbits_per_s=10, shed_highest_mbits_per_s=5)


def test_delivery_table_refuses_pace_that_least_rate_would_cut_off() -> None:
    DeliveryTable(client_rate_bytes_per_s_min=100_000)
    DeliveryTable(client_rate_bytes_per_s_min=100_000, pacing=PacingTable(mode="cmcd"))
    with pytest.raises(ValueError, match="keep it below half the slowest pace"):
        DeliveryTable(client_rate_bytes_per_s_min=100_000, pacing=PacingTable(mode="cmcd", floor_mbits_per_s=1))
