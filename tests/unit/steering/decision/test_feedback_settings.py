import msgspec
import pytest

from steering.decision.feedback_settings import FeedbackTable


def test_feedback_settings_are_on_as_they_come() -> None:
    assert FeedbackTable().enabled


@pytest.mark.parametrize("changes", [{"starved_ratio_full": 0}, {"weight_min": 0}, {"prefixes_min": 2}])
def test_feedback_settings_refuse_what_would_let_few_steer(changes: dict[str, float]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(changes, FeedbackTable)
