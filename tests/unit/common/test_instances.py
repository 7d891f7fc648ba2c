from __future__ import annotations

from oca.common.instances import Instances


def test_instances_stay_with_the_one_that_answers() -> None:
    instances = Instances(["http://a/", "http://b", "http://c"])
    for url in instances.each():
        if url == "http://b":
            break
    assert instances.url == "http://b"
    assert next(iter(instances.each())) == "http://b"


def test_instances_are_each_tried_once() -> None:
    instances = Instances(["http://a", "http://b"])
    assert list(instances.each()) == ["http://a", "http://b"]
    assert instances.url == "http://a"
