from __future__ import annotations

from xml.etree.ElementTree import Element

from defusedxml.ElementTree import fromstring

from steering.decision.ranking import Pathway
from steering.players.manifests_dash import media_presentation
from steering.titles.catalogue import MpdTemplate
from tests.unit.steering.made_up import way

STEERING = "http://s.example/steer/dash?title=t&pathways=a,origin"
TEMPLATE = MpdTemplate(
    pieces=[
        "<MPD>",
        '<Period><Representation id="0">',
        '</Representation><Representation id="1">',
        "</Representation></Period></MPD>",
    ],
    slots=["", "t/low", "t/high"],
    folders=["/t/", "/t/", "/t/"],
)


def bases(element: Element) -> list[tuple[str | None, str | None]]:
    return [(child.get("serviceLocation"), child.text) for child in element.findall("BaseURL")]


def presentation(*pathways: Pathway, template: MpdTemplate = TEMPLATE) -> Element:
    root: Element = fromstring(media_presentation(template, pathways, STEERING))
    return root


def test_mpd_names_every_candidate_best_first() -> None:
    root = presentation(way("a", "t/low", "t/high"), way("origin"))
    assert bases(root) == [("a", "http://a.example/t/"), ("origin", "http://origin.example/t/")]
    steering = root.find("ContentSteering")
    assert steering is not None
    assert steering.attrib == {"defaultServiceLocation": "a", "queryBeforeStart": "false"}
    assert steering.text == STEERING
    assert root.findall(".//Representation/BaseURL") == []


def test_mpd_gives_representation_its_own_sources_only_where_one_lacks_it() -> None:
    root = presentation(way("a", "t/low"), way("b", "t/low", "t/high"), way("origin"))
    low, high = root.findall(".//Representation")
    assert bases(low) == []
    assert bases(high) == [
        ("a", "http://b.example/t/"),
        ("b", "http://b.example/t/"),
        ("origin", "http://origin.example/t/"),
    ]


def test_mpd_always_resolves_representation_with_base_of_its_own() -> None:
    template = MpdTemplate(TEMPLATE.pieces, TEMPLATE.slots, ["/t/", "!/t/low/one.mp4", "/t/"])
    low, high = presentation(way("a", "t/low", "t/high"), way("origin"), template=template).findall(".//Representation")
    assert bases(low) == [("a", "http://a.example/t/low/one.mp4"), ("origin", "http://origin.example/t/low/one.mp4")]
    assert bases(high) == []
