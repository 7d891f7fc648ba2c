import gzip
from datetime import date
from pathlib import Path

import pytest

from benchmarks.forecast.charts import generate_charts, read_charts

HEADER = "country_name country_iso2 week category weekly_rank show_title season_title weeks\n".replace(" ", "\t")
ROW = 'Germany\tDE\t2022-05-29\tFilms\t3\tF"ilm\t\t2\n'


def test_charts_read_lists_with_missing_weeks(tmp_path: Path) -> None:
    path = tmp_path / "lists.tsv.gz"
    with gzip.open(path, "wt") as file:
        file.write(HEADER + ROW + "Germany\tDE\t2022-06-12\tTV\t1\tShow\tShow: 2\t1\n")
    charts = read_charts(path)
    assert charts.weeks == [date(2022, 5, 29), date(2022, 6, 5), date(2022, 6, 12)]
    assert charts.titles == ['Films/F"ilm/', "TV/Show/Show: 2"]
    assert charts.ranks[:, 0].tolist() == [[3, 0], [0, 0], [0, 1]]
    assert charts.debuts().tolist() == [0, 2]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no column country_iso2"),
        (HEADER, "no rows"),
        (HEADER + ROW.replace("2022-05-29", "29 May"), "line 2"),
        (HEADER + ROW.replace("\t3\t", "\t11\t"), "11 is not 1 to 10"),
        (HEADER + ROW.replace("Films", "Games"), "line 2"),
        (HEADER + ROW + ROW.replace("2022-05-29", "2022-05-31"), "whole number of weeks"),
        (HEADER + ROW + ROW.replace("2022-05-29", "1022-05-29"), "too much"),
    ],
)
def test_charts_refuse_what_is_no_list(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "lists.tsv"
    path.write_text(text)
    with pytest.raises(SystemExit, match=said):
        read_charts(path)


def test_charts_refuse_a_file_that_is_not_gzip(tmp_path: Path) -> None:
    (tmp_path / "lists.tsv.gz").write_bytes(b"not gzip")
    with pytest.raises(SystemExit, match="cannot be read"):
        read_charts(tmp_path / "lists.tsv.gz")


def test_charts_made_up_are_whole_lists_and_repeat() -> None:
    charts, again = (generate_charts(weeks=5, countries=3) for _ in range(2))
    assert (charts.ranks == again.ranks).all()
    assert ((charts.ranks > 0).sum(axis=2) == 20).all()
