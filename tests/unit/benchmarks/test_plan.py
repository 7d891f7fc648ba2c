from __future__ import annotations

from pathlib import Path

from benchmarks.plan import CLUSTERS, figures_of, night, prepare


def test_bench_plans_a_made_up_fleet(tmp_path: Path) -> None:
    prepare(tmp_path, clusters=3, assets=400, watched=50, days=2)
    done = night(tmp_path, 3, 0)
    assert done["appliances"] == 12
    assert done["cpu_s"] > 0
    assert done["peak_bytes"] > 2**20


def test_bench_reckons_the_full_size_by_what_a_cluster_more_costs() -> None:
    def outcome(clusters: int) -> dict[str, float]:
        cost = 10.0 + clusters / 8
        return {"appliances": clusters * 4, "wall_s": cost, "cpu_s": cost, "peak_bytes": 1e9}

    figures = {each["name"]: each for each in figures_of(80, [outcome(80)] * 2, [outcome(20)] * 2, 20)}
    assert figures["first night, reckoned for 20,000 appliances: CPU over two cores"]["value"] == 317.5
    assert figures["next night, reckoned for 20,000 appliances: CPU over two cores"]["holds"] is False
    full = figures_of(CLUSTERS, [outcome(CLUSTERS)] * 2, [outcome(CLUSTERS)] * 2, CLUSTERS)
    assert [each["holds"] for each in full] == [False, None, True, False, None, True]
