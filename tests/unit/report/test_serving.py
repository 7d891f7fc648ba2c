from oca.report.serving import ServingState, drain_reason


def test_serving_drains_until_viewers_have_left() -> None:
    serving = ServingState(drain_s_max=100)
    assert serving.state == "serving"
    assert serving.drain(now=10)
    assert not serving.observe(now=20, connections=3)
    assert (serving.state, serving.drain_left_s(20)) == ("draining", 90)
    assert serving.observe(now=30, connections=0)
    assert (serving.state, serving.drain_left_s(30)) == ("drained", 0)


def test_serving_ends_drain_when_its_time_ran_out() -> None:
    serving = ServingState(drain_s_max=100)
    serving.drain(now=10)
    assert not serving.observe(now=109.9, connections=3)
    assert serving.observe(now=110, connections=3)
    assert serving.state == "drained"


def test_serving_says_whether_anything_changed() -> None:
    serving = ServingState(drain_s_max=100)
    assert not serving.undrain()
    assert serving.drain(now=0)
    assert not serving.drain(now=50)
    assert serving.drain_left_s(50) == 50
    assert serving.undrain()
    assert serving.state == "serving"
    assert not serving.observe(now=200, connections=0)


def test_serving_resumes_from_drained() -> None:
    serving = ServingState(drain_s_max=0)
    serving.drain(now=0)
    assert serving.observe(now=0, connections=9)
    assert serving.undrain()
    assert (serving.state, serving.drain_left_s(1)) == ("serving", 0)


def test_serving_names_operator_who_drained_it() -> None:
    assert drain_reason("draining", 10**9) == (
        "draining by 'oca drain' since 1970-01-01 00:00:01Z ('oca undrain' takes it back)"
    )
    assert drain_reason("draining", 0) == ""
