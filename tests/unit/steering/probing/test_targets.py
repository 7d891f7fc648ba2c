from __future__ import annotations

from pathlib import Path

import pytest

from oca.common.errors import SteeringError
from steering.probing import targets as targets_module
from steering.probing.targets import Target, Targets
from steering.titles.unpublish import unpublish
from tests.unit.steering.api_client import Steering
from tests.unit.steering.made_up import make_contents, make_report


async def test_target_is_smallest_object_of_what_is_held(steering: Steering, package: Path) -> None:
    targets = Targets(steering.service.decider)
    assert targets.of("metro-a") is None
    revisions = steering.publish(package)
    await steering.report(make_report("metro-a"))
    assert targets.of("metro-a") == Target("http://metro-a.example:8080/", None)
    await steering.report(make_report("metro-a", sequence=2, contents=make_contents(revisions)))
    found = targets.of("metro-a")
    assert found is not None
    assert found.wanted is not None
    stored = [steering.service.decider.catalogue.asset(asset) for asset in revisions]
    objects = [each for one in stored if one is not None for each in one.objects]
    assert found.wanted in objects
    assert found.url == f"http://metro-a.example:8080{found.wanted.path}"
    fewest = min((one for one in stored if one is not None), key=lambda one: len(one.objects))
    assert found.wanted == min(fewest.objects, key=lambda each: each.bytes)


async def test_target_is_none_of_an_earlier_revision_or_too_large(
    steering: Steering, package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    revisions = steering.publish(package)
    targets = Targets(steering.service.decider)
    await steering.report(make_report("metro-a", contents=make_contents(dict.fromkeys(revisions, "0" * 32))))
    assert targets.of("metro-a") == Target("http://metro-a.example:8080/", None)
    monkeypatch.setattr(targets_module, "OBJECT_BYTES_MAX", 0)
    monkeypatch.setattr(targets_module, "KEPT_MAX", 1)
    await steering.report(make_report("metro-a", sequence=2, contents=make_contents(revisions)))
    assert targets.of("metro-a") == Target("http://metro-a.example:8080/", None)


def test_targets_read_each_asset_once(steering: Steering, package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steering.publish(package)
    decider = steering.service.decider
    targets = Targets(decider)
    asset = decider.catalogue.titles["harbour"].assets[0]
    first = targets._smallest_of(asset)

    def refuse(_: str) -> None:
        raise SteeringError("read again", remedy="do not")

    monkeypatch.setattr(decider.catalogue, "asset", refuse)
    assert targets._smallest_of(asset) is first


def test_targets_look_again_for_what_was_published_again(steering: Steering, package: Path) -> None:
    """A title that is taken out is gone from the state a moment before the catalogue in memory knows it."""
    steering.publish(package)
    targets, asset = Targets(steering.service.decider), steering.service.decider.catalogue.titles["harbour"].assets[0]
    unpublish(["harbour"], steering.state, now_ns=0)
    assert targets._smallest_of(asset) is None
    steering.publish(package)
    assert targets._smallest_of(asset) is not None
