from oca.delivery.miss_settings import OverloadTable
from oca.delivery.overload import Overload


def test_overload_watches_nothing_without_limit() -> None:
    overload = Overload(OverloadTable())
    assert not overload.watches
    assert not overload.observe(1, sends=10**6, sent_bytes=10**15)
    assert overload.why == ""


def test_overload_begins_above_limit_of_sends_and_ends_below_nine_tenths() -> None:
    overload = Overload(OverloadTable(sends_max=100))
    assert overload.watches
    assert [overload.observe(now, sends=sends, sent_bytes=0) for now, sends in enumerate([100, 101, 95, 90])] == [
        False,
        True,
        False,
        True,
    ]
    overload.observe(9, sends=101, sent_bytes=0)
    assert overload.why == "101 responses are on their way, limit 100"


def test_overload_measures_rate_between_observations() -> None:
    overload = Overload(OverloadTable(rate_bytes_per_s_max=1000))
    assert overload.watches
    assert not overload.observe(5, sends=0, sent_bytes=10**9)  # since the start of the box: no rate yet
    assert not overload.observe(7, sends=0, sent_bytes=10**9 + 2000)
    assert overload.observe(8, sends=0, sent_bytes=10**9 + 3001)
    assert overload.why == "1001 bytes/s are sent, limit 1000"
    assert not overload.observe(9, sends=0, sent_bytes=10**9 + 3001 + 950)
    assert overload.observe(10, sends=0, sent_bytes=10**9 + 3001 + 950 + 900)
    assert not overload.observe(10, sends=0, sent_bytes=10**12)  # a clock that did not move measures nothing
