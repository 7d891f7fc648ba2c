import threading
from collections.abc import Callable

import pytest

from oca.common import silence
from oca.common.clock import monotonic_s
from oca.common.errands import PATIENCE_TIMES, Errands, Outstanding
from oca.common.silence import Standing
from tests.waiting import WAIT_S


def fail() -> int:
    raise ValueError("no")


def test_errands_bring_back_what_each_returned_or_raised() -> None:
    errands: Errands[str, int] = Errands(name="test")
    work: dict[str, Callable[[], int]] = {"a": lambda: 1, "b": fail}
    told = errands.ask(work, timeout_s=WAIT_S)
    assert told["a"] == 1
    assert isinstance(told["b"], ValueError)


def test_errands_wait_for_none_that_hangs_and_ask_it_once() -> None:
    errands: Errands[str, int] = Errands(name="test")
    gate, asked = threading.Event(), []

    def hang() -> int:
        asked.append(1)
        gate.wait(WAIT_S)
        return 2

    answers = 0
    while answers < 3:
        told = errands.ask({"well": lambda: 1, "hangs": hang}, timeout_s=0.05)
        answers += told["well"] == 1
        assert isinstance(told["hangs"], Outstanding)
    for_s = 0.0
    while not asked or for_s < 0.1:
        hanging = errands.ask({"hangs": hang}, timeout_s=0.05)["hangs"]
        assert isinstance(hanging, Outstanding)
        for_s = hanging.for_s
    assert len(asked) == 1
    gate.set()
    assert errands.ask({"hangs": hang}, timeout_s=WAIT_S) == {"hangs": 2}
    assert errands.ask({"hangs": hang}, timeout_s=WAIT_S) == {"hangs": 2}
    assert len(asked) == 2


@pytest.mark.parametrize("starved", [True, False])
def test_errands_are_patient_with_thread_that_gets_no_processor(
    monkeypatch: pytest.MonkeyPatch, *, starved: bool
) -> None:
    monkeypatch.setattr(silence, "standing_of", lambda _: Standing(runnable=starved, processor_s=0.0))
    errands: Errands[str, bool] = Errands(name="test")
    gate, began_s = threading.Event(), monotonic_s()
    answer = errands.ask({"late": lambda: gate.wait(10)}, timeout_s=0.5, patient=True)["late"]
    assert isinstance(answer, Outstanding)
    assert answer.for_s == 0 if starved else answer.for_s >= 0.5
    assert monotonic_s() - began_s >= (PATIENCE_TIMES * 0.5 if starved else 0.5)
    gate.set()
    assert errands.ask({"late": lambda: False}, timeout_s=10) == {"late": True}
