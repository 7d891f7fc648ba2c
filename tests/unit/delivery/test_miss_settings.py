import pytest

from oca.delivery.miss_settings import PULLED_OPEN_MAX, MissTable, OverloadTable
from oca.delivery.settings import DeliveryTable


def test_miss_table_refuses_redirect_to_nowhere() -> None:
    with pytest.raises(ValueError, match="nowhere to redirect to; set fallback_url"):
        MissTable(policy="redirect")
    assert MissTable(policy="redirect", fallback_url="http://b").fallback_url == "http://b"


def test_delivery_table_refuses_overload_redirected_to_nowhere() -> None:
    with pytest.raises(ValueError, match="redirect has nowhere to redirect to"):
        DeliveryTable(overload=OverloadTable(answer="redirect"))
    DeliveryTable(overload=OverloadTable(answer="redirect"), miss=MissTable(fallback_url="http://b"))


def test_miss_table_refuses_fetch_from_nowhere() -> None:
    with pytest.raises(ValueError, match="no origin to fetch from; set origin_url"):
        MissTable(policy="fetch")
    assert MissTable(policy="fetch", origin_url="http://o", fetches_max=10).descriptors == PULLED_OPEN_MAX + 30
    assert MissTable().descriptors == 0
