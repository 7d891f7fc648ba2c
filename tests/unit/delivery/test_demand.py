from oca.delivery.demand import Demand, add


def test_demand_gives_one_count_per_asset() -> None:
    demand = Demand()
    assert demand.of("a/v") is demand.of("a/v")
    assert demand.of("a/v") is not demand.of("b/v")


def test_demand_takes_each_request_once() -> None:
    demand = Demand()
    count = demand.of("a/v")
    demand.of("b/v")
    count.requests += 2
    count.bytes += 700
    assert demand.take() == [("a/v", 2, 700)]
    assert demand.take() == []
    count.requests += 1
    assert demand.take() == [("a/v", 1, 0)]


def test_demand_forgets_idle_assets_and_keeps_untaken_ones() -> None:
    demand = Demand()
    idle, busy = demand.of("a/v"), demand.of("b/v")
    busy.requests += 1
    demand.forget_idle()
    assert demand.of("a/v") is not idle
    assert demand.of("b/v") is busy


def test_add_sums_workers() -> None:
    totals: dict[str, tuple[int, int]] = {}
    add(totals, [("a/v", 1, 10), ("b/v", 2, 20)])
    add(totals, [("a/v", 3, 30)])
    assert totals == {"a/v": (4, 40), "b/v": (2, 20)}
