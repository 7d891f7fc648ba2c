"""The MPD made for one viewer: a BaseURL with serviceLocation per candidate, best first, and where to ask again."""

from __future__ import annotations

from xml.sax.saxutils import escape, quoteattr

from steering.decision.ranking import Pathway
from steering.players.answer import source_of
from steering.titles.catalogue import MpdTemplate


def media_presentation(template: MpdTemplate, pathways: tuple[Pathway, ...], steering_url: str) -> str:
    """The MPD. A Representation gets BaseURLs of its own only where some candidate lacks it.

    ``queryBeforeStart`` is false: the order in the MPD was decided a moment ago, so a first query would only delay
    the start (ETSI TS 103 998 §5.2).
    """
    parts = [template.pieces[0]]
    for number, slot in enumerate(template.slots):
        folder = template.folders[number]
        if not slot:
            parts += [_base_url(pathway, pathway.base + folder) for pathway in pathways]
            default = quoteattr(pathways[0].pathway)
            parts.append(
                f'<ContentSteering defaultServiceLocation={default} queryBeforeStart="false">'
                f"{escape(steering_url)}</ContentSteering>"
            )
        elif folder.startswith("!") or not all(pathway.has(slot) for pathway in pathways):
            folder = folder.removeprefix("!")
            parts += [
                _base_url(pathway, source_of(slot, pathways, index).base + folder)
                for index, pathway in enumerate(pathways)
            ]
        parts.append(template.pieces[number + 1])
    return "".join(parts)


def _base_url(pathway: Pathway, url: str) -> str:
    return f"<BaseURL serviceLocation={quoteattr(pathway.pathway)}>{escape(url)}</BaseURL>"
