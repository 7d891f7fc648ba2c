"""Answers made of a ranking: playback, the steering lists of players, and where each asset is to be had."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import final
from urllib.parse import urlencode

import msgspec
from mypy_extensions import mypyc_attr

from oca.common.standing import Standing
from steering.api.messages import Device, PathwayAnswer, PlaybackAnswer, Protocol, RejectedAnswer, SteeringAnswer
from steering.decision.edition import Edition, quoted
from steering.decision.ranking import Pathway, Ranking
from steering.players.device import ANY
from steering.settings_check import CDN_PATHWAY, ORIGIN_PATHWAY, ORIGIN_RETRY_PATHWAY, RESERVED_PATHWAYS
from steering.titles.catalogue import Title

DECLARED_MAX = 32
STEERING_VERSION = 1
_NOTHING_MORE = b'"rejected":[],"assets":{}}'
_encode = msgspec.json.Encoder().encode
_STAYS: tuple[Standing, ...] = ("up", "unknown")
_PATHWAY_ID = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


def source_of(asset: str, pathways: Sequence[Pathway], index: int) -> Pathway:
    """Who serves ``asset`` to a player on pathway ``index``: itself, else the next that holds it.

    Earlier ones come last: a player on this pathway has probably left them for a reason.
    """
    for pathway in (*pathways[index:], *pathways[:index]):
        if pathway.has(asset):
            return pathway
    return pathways[index]


def pathway_answers(ranking: Ranking) -> list[PathwayAnswer]:
    """The pathways as told outside."""
    found: list[PathwayAnswer] = []
    of_site = ""
    told: float | None = None
    for pathway in ranking.pathways:
        if pathway.site != of_site:  # boxes of one site stand together
            of_site, away = pathway.site, pathway.distance_km
            told = int(away * 10 + 0.5) / 10 if away is not None else None
        name, url, source_class, why = pathway.pathway, pathway.url, pathway.source_class, pathway.why
        found.append(PathwayAnswer(name, url, source_class, of_site, told, why))
    return found


def rejected_answers(ranking: Ranking) -> list[RejectedAnswer]:
    """Who lost, as told outside."""
    return [RejectedAnswer(pathway=lost.pathway, why=lost.why) for lost in ranking.rejected]


@final
@mypyc_attr(acyclic=True)
class Asking:
    """Who asks for playback.

    Attributes:
        client: The viewer's address, and ``client_from`` how it is known.
        prefix: The longest prefix that holds it, and ``site`` where it belongs.
        base_url: How it reaches this service, and ``query`` what it says again to its manifests.
        device: What will play it, and ``wanted`` the assets that this can play; None: all.
    """

    __slots__ = ("base_url", "client", "client_from", "device", "prefix", "query", "site", "wanted")

    def __init__(
        self,
        *,
        client: str,
        client_from: str,
        prefix: str,
        site: str,
        base_url: str,
        query: str,
        device: Device = ANY,
        wanted: frozenset[str] | None = None,
    ) -> None:
        self.client, self.client_from, self.prefix, self.site = client, client_from, prefix, site
        self.base_url, self.query, self.device, self.wanted = base_url, query, device, wanted


def playback_answer(edition: Edition, ranking: Ranking, asking: Asking) -> PlaybackAnswer:
    """The answer of ``POST /v1/playback``."""
    urls = _asset_urls(edition.title, ranking.pathways, asking.wanted)
    return _playback(edition, ranking, asking, rejected_answers(ranking), urls)


def playback_body(edition: Edition, ranking: Ranking, asking: Asking) -> bytes:
    """``playback_answer`` in JSON; the URLs, nine tenths of it, are put together as text."""
    sources = [
        (quoted(pathway.url) + pathway.token_path.encode(), pathway.holds)  # in a token is nothing that JSON escapes
        for pathway in ranking.pathways
        if pathway.pathway != ORIGIN_RETRY_PATHWAY
    ]
    count = len(edition.names)
    if (
        sources
        and asking.wanted is None
        and not [1 for _, holds in sources if holds is not None and len(holds) < count]
    ):
        said = edition.urls([base for base, _ in sources])
    else:
        said = edition.urls_held(sources, asking.wanted)
    told = _encode(_playback(edition, ranking, asking, [], {})).removesuffix(_NOTHING_MORE)
    return b"".join((told, b'"rejected":', _encode(rejected_answers(ranking)), b',"assets":{', *said, b"}}"))


def _playback(
    edition: Edition, ranking: Ranking, asking: Asking, rejected: list[RejectedAnswer], assets: dict[str, list[str]]
) -> PlaybackAnswer:
    suffix = f"?{asking.query}" if asking.query else ""
    manifests = f"{asking.base_url}/v1/playback/{edition.id}"
    is_played, device = bool(ranking.pathways), asking.device
    return PlaybackAnswer(
        title=edition.id,
        name=edition.name,
        client=asking.client,
        client_from=asking.client_from,
        prefix=asking.prefix,
        site=asking.site,
        hls_url=f"{manifests}/master.m3u8{suffix}" if is_played and _reads(device, "hls") else "",
        dash_url=f"{manifests}/manifest.mpd{suffix}"
        if is_played and edition.has_mpd and _reads(device, "dash")
        else "",
        pathways=pathway_answers(ranking),
        rejected=rejected,
        assets=assets,
    )


def _reads(device: Device, protocol: Protocol) -> bool:
    return not device.protocols or protocol in device.protocols


def _asset_urls(title: Title, pathways: Sequence[Pathway], wanted: frozenset[str] | None) -> dict[str, list[str]]:
    """Asset → its first object's URLs, best first."""
    assets = [item for item in title.assets if wanted is None or item.asset in wanted]
    sources = [(pathway.base, pathway.holds) for pathway in pathways if pathway.pathway != ORIGIN_RETRY_PATHWAY]
    return {
        asset.asset: [base + asset.entry for base, holds in sources if holds is None or asset.asset in holds]
        for asset in assets
    }


def steering_url(base_url: str, protocol: str, title: str, pathways: Sequence[Pathway], query: str) -> str:
    """The address a player polls: it carries all that the answer needs, so any instance can give it."""
    declared = ",".join(pathway.pathway for pathway in pathways)
    asked = urlencode({"title": title, "pathways": declared}, safe=",")
    return f"{base_url}/steer/{protocol}?{asked}" + (f"&{query}" if query else "")


def declared_pathways(text: str) -> list[str]:
    """The pathway ids of a steering URL, without doubles and without what is no id."""
    found = [part for part in text[: DECLARED_MAX * 64].split(",") if _PATHWAY_ID.fullmatch(part)]
    return list(dict.fromkeys(found))[:DECLARED_MAX]


def playing_from(said: str) -> str:
    """The pathway that a player is on, by what it says: an id, or a list in quotes; empty where it is none."""
    first = said[:128].strip('"').partition(",")[0]
    return first if _PATHWAY_ID.fullmatch(first) else ""


def steering_answer(
    declared: Sequence[str],
    ranking: Ranking | None,
    standing_of: Callable[[str], Standing],
    *,
    ttl_s: int,
    playing: str = "",
) -> SteeringAnswer:
    """Put the declared pathways in order: ranked ones, then those serving out, the origin, then what is out.

    The CDN stands before those that have no room for this viewer. An appliance not heard of since steering started
    keeps its place before both. Of a title that is not in the catalogue (``ranking``: None), as one that was taken out,
    who plays stays where he is ``playing`` from, if that is not out or draining, else with boxes that are up: they
    serve him until his token ends, and the origin would get all viewers at once. Undeclared pathways never appear, save
    to fill a list that would be shorter than two: players skip ids that they do not know.
    """
    ranked = [pathway.pathway for pathway in ranking.pathways] if ranking is not None else []
    known = list(declared) or ranked
    places = {pathway: place for place, pathway in enumerate(ranked)}
    cdn_at = places.get(CDN_PATHWAY, len(ranked))

    def order(item: tuple[int, str]) -> tuple[int, int]:
        index, pathway = item
        if ranking is None and pathway == playing and (pathway in RESERVED_PATHWAYS or standing_of(pathway) in _STAYS):
            return (-1, 0)
        if pathway in RESERVED_PATHWAYS:
            return {CDN_PATHWAY: (2, 0), ORIGIN_PATHWAY: (5, 0)}.get(pathway, (5, 1))
        if pathway in places:
            return (0 if places[pathway] < cdn_at else 3, places[pathway])
        # 6: up, but not for this viewer, as when it no longer holds the title.
        group = {"unknown": 1, "draining": 4, "up": 6 if ranking is not None else 0}.get(standing_of(pathway), 7)
        return (group, index)

    priority = [pathway for _, pathway in sorted(enumerate(known), key=order)]
    for spare in (ORIGIN_PATHWAY, ORIGIN_RETRY_PATHWAY):
        if len(priority) < 2 and spare not in priority:
            priority.append(spare)
    return SteeringAnswer(version=STEERING_VERSION, ttl=ttl_s, pathway_priority=priority)
