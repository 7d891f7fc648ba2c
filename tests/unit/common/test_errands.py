import threading
from collections.abc import Callable

from oca.common.errands import Errands, Outstanding


def fail() -> int:
    raise ValueError("no")


def test_errands_bring_back_what_each_returned_or_raised() -> None:
    errands: Errands[str, int] = Errands(name="test")
    work: dict[str, Callable[[], int]] = {"a": lambda: 1, "b": fail}
    told = errands.ask(work, timeout_s=10)
    assert told["a"] == 1
    assert isinstance(told["b"], ValueError)


def test_errands_wait_for_none_that_hangs_and_ask_it_once() -> None:
    errands: Errands[str, int] = Errands(name="test")
    gate, asked = threading.Event(), []

    def hang() -> int:
        asked.append(1)
        gate.wait(10)
        return 2

    for _ in range(3):
        told = errands.ask({"well": lambda: 1, "hangs": hang}, timeout_s=0.05)
        assert told["well"] == 1
        assert isinstance(told["hangs"], Outstanding)
    hanging = errands.ask({"hangs": hang}, timeout_s=0)["hangs"]
    assert isinstance(hanging, Outstanding)
    assert hanging.for_s >= 0.1
    assert len(asked) == 1
    gate.set()
    assert errands.ask({"hangs": hang}, timeout_s=10) == {"hangs": 2}
    assert errands.ask({"hangs": hang}, timeout_s=10) == {"hangs": 2}
    assert len(asked) == 2
