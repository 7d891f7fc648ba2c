from __future__ import annotations

from benchmarks.fill import ASSET, LARGE_PLAN, Run, figures_of
from benchmarks.steering_double import revision_of_empty, small_manifest
from oca.store.pack import check_manifest

RUNS = [
    Run("curl", 2.0, 0.4),
    Run("oca-fill", 3.0, 0.6),
    Run("curl", 4.0, 0.5),
    Run("oca-fill", 5.0, 0.7),
    Run("curl", 9.0, 0.6),
    Run("oca-fill", 4.0, 9.0),
]


def test_figures_are_medians_with_the_bars_of_time_and_memory() -> None:
    figures = {f["name"]: f for f in figures_of(RUNS, 151_000_000, megabytes=400)}
    assert figures["curl: rate"]["value"] == 100
    assert figures["oca-fill: rate"]["value"] == 100
    assert figures["time of a fill ÷ curl's"] == {
        "name": "time of a fill ÷ curl's",
        "value": 1.0,
        "unit": "times",
        "bar": 1.25,
        "holds": True,
    }
    assert figures["CPU of a fill ÷ curl's"]["value"] == 1.4
    assert figures[f"memory with a plan of {LARGE_PLAN} assets"]["holds"] is False


def test_small_assets_are_as_the_store_wants_them() -> None:
    manifest = small_manifest(ASSET)
    check_manifest(manifest)
    assert manifest.revision == revision_of_empty(ASSET)
