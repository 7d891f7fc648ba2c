"""The decider that traces decides as the other does."""

from __future__ import annotations

from pathlib import Path

from oca.common.tracing import OFF
from steering.decision.address import parse_address
from steering.decision.decider import Decider
from steering.decision.traced import TracedDecider, new_decider
from steering.metrics import Counts
from steering.settings import SteeringSettings
from steering.signing import Signing
from steering.state.embedded import EmbeddedState
from steering.titles.catalogue import Catalogue
from steering.titles.publish import publish
from tests.unit.steering.api_client import TITLE
from tests.unit.steering.made_up import told
from tests.unit.tracing import Collector


def test_traced_decider_decides_the_same(state: EmbeddedState, settings: SteeringSettings, package: Path) -> None:
    publish(package, TITLE, state, progress=lambda done, total: None)
    catalogue, signing = Catalogue(state), Signing(settings.signing, state)
    catalogue.refresh()
    collector = Collector()
    plain = new_decider(settings, catalogue, Counts(), signing, OFF)
    traced = new_decider(settings, catalogue, Counts(), signing, collector.tracer)
    assert (type(plain), type(traced)) == (Decider, TracedDecider)
    address = parse_address("203.0.113.9")
    assert address is not None
    edition = plain.edition("harbour")
    assert edition is not None
    for kind in ("playback", "explain"):
        with collector.tracer.root("request", {}):
            made = traced.decide(edition, address, kind=kind, explain=kind == "explain")
        assert told(made.ranking) == told(plain.decide(edition, address, kind=kind, explain=kind == "explain").ranking)
    kinds = [(span.attributes or {})["oca.decision.kind"] for span in collector.spans if span.name == "decide"]
    assert kinds == ["playback", "explain"]
    collector.tracer.close()
