from steering.probing.views import ObserverView, observer_lines


def test_observers_are_told_of_in_a_line_each() -> None:
    lines = observer_lines(
        [
            ObserverView("ham", True, True, "", 9, 1, 0.5),
            ObserverView("osl", False, False, "isolated: cannot reach 9 of 9", 9, 0, 70.0),
        ]
    )
    assert list(lines) == [
        "observer ham (this one): 9 probed, votes against 1; said 500 ms ago",
        "observer osl: 9 probed, does not vote: isolated: cannot reach 9 of 9; said 1 min 10 s ago",
    ]
