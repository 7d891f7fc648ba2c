from oca.common.signing_reasons import MEANINGS, REASONS


def test_every_refusal_has_a_meaning() -> None:
    assert tuple(MEANINGS) == REASONS
