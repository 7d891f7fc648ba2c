from hypothesis import given
from hypothesis import strategies as st

from steering.probing.rota import Rota


def test_rota_gives_all_a_turn_and_then_by_time() -> None:
    rota = Rota(["a", "b", "c"], 0)
    assert rota.late_s(5) == 5
    assert sorted(rota.due(0, 2) + rota.due(0, 2)) == ["a", "b", "c"]
    assert rota.due(100, 2) == []
    assert rota.late_s(100) == 0
    rota.put_back("b", 10)
    rota.put_back("a", 5)
    assert rota.due(4.9, 9) == []
    assert rota.late_s(7) == 2
    assert rota.due(10, 9) == ["a", "b"]


@given(st.lists(st.tuples(st.floats(0.01, 3), st.integers(0, 5)), max_size=60))
def test_rota_never_loses_anybody(turns: list[tuple[float, int]]) -> None:
    rota, now, names = Rota("abcdef", 0), 0.0, sorted("abcdef")
    for elapsed, at_most in turns:
        now += elapsed
        taken = rota.due(now, at_most)
        assert len(taken) <= at_most
        for name in taken:
            rota.put_back(name, now + 1)
    assert sorted(rota.due(now + 10, 99)) == names
