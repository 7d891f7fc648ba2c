from dataclasses import replace

import numpy as np

from benchmarks.forecast.charts import generate_charts
from benchmarks.forecast.top import predict_lists


def test_predict_lists_names_all_of_what_never_changes() -> None:
    charts = generate_charts(weeks=8, countries=3)
    overlap = predict_lists(replace(charts, ranks=np.repeat(charts.ranks[:1], 8, axis=0)))
    assert (overlap.forecast, overlap.repeated, overlap.known_before) == (1.0, 1.0, 1.0)


def test_predict_lists_cannot_name_what_was_never_listed() -> None:
    overlap = predict_lists(generate_charts(weeks=10, countries=3))
    assert 0 < overlap.forecast <= overlap.known_before < 1
