"""The endpoints that players and their services use: playback, manifests, content steering, redirects."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import Meta
from msgspec.structs import replace

from oca.common.messages import Message
from oca.common.problem import Refusal, decoded, json_response, read_body
from steering.api.endpoints import Query, endpoint
from steering.api.messages import (
    BATCH_MAX,
    BatchAnswer,
    BatchItem,
    BatchRequest,
    Explanation,
    PlaybackAnswer,
    PlaybackRequest,
    SteeringAnswer,
)
from steering.decision.address import Client
from steering.decision.decider import Decision
from steering.players.answer import (
    declared_pathways,
    pathway_answers,
    playing_from,
    rejected_answers,
    source_of,
    steering_answer,
    steering_url,
)
from steering.players.manifests_dash import media_presentation
from steering.players.manifests_hls import follows_steering, multivariant_playlist
from steering.players.playback import Caller, Playback, carried

BODY_BYTES_MAX = 64 * 1024
BATCH_BYTES_MAX = 2**20
BATCH_TURN = 16
"""Decisions of a batch between which others have their turn."""
FRESH = {"Cache-Control": "no-store"}
_CLIENT = Query(
    "client",
    "Address of the viewer, or an EDNS Client Subnet such as 198.51.100.0/24. Believed of trusted proxies and of who "
    "shows an operator's token; else the address that asks counts.",
    Annotated[str, Meta(max_length=64)],
)
_REJECTED = Query(
    "rejected",
    "Name so many at most of those that lost; all of a large fleet are megabytes.",
    Annotated[int, Meta(ge=0, le=9_999_999)],
)
_STEERED = (
    Query("title", "The title that is played."),
    Query("pathways", "What the manifest declares, with commas between.", Annotated[str, Meta(max_length=2048)]),
    _CLIENT,
    Query("_HLS_pathway", "The pathway in use, as hls.js and Shaka tell it: it stays first while it has room."),
    Query("_HLS_throughput", "Measured bits per second. Taken and not needed."),
    Query("_DASH_pathway", "The same of DASH players; dash.js sends a list in quotes, of which the first counts."),
    Query("_DASH_throughput", "The same; dash.js sends a list, which may hold nothing. Taken and not needed."),
)


class _Batch(Message, frozen=True):
    """A ``BatchRequest`` whose items are read one by one, so that a wrong one spoils no other."""

    requests: Annotated[list[msgspec.Raw], Meta(min_length=1, max_length=BATCH_MAX)]


_requests = msgspec.json.Decoder(PlaybackRequest)
_batches = msgspec.json.Decoder(_Batch)


class Players:
    """Handlers over one decision."""

    def __init__(self, playback: Playback, vouches: Callable[[web.Request], bool]) -> None:
        """``vouches`` tells of a request whether an operator's token in it lets it name clients."""
        self._playback = playback
        self._decider = playback.decider
        self._vouches = vouches

    @endpoint("POST", "/v1/playback", takes=PlaybackRequest, gives=PlaybackAnswer, refuses=(401, 403, 404, 406))
    async def playback(self, request: web.Request) -> web.Response:
        """Where this viewer gets a title from, and why: signed URLs for each asset, best first, and its manifests."""
        asked = await read_body(request, _requests, bytes_max=BODY_BYTES_MAX)
        return json_response(await self._answer(request, asked), headers=FRESH)

    @endpoint("POST", "/v1/playbacks", takes=BatchRequest, gives=BatchAnswer)
    async def playbacks(self, request: web.Request) -> web.Response:
        """Many playback requests at once, for services; each gets its own answer or its own problem."""
        batch = await read_body(request, _batches, bytes_max=BATCH_BYTES_MAX)
        items = []
        for number, raw in enumerate(batch.requests):
            if number % BATCH_TURN == BATCH_TURN - 1:
                await asyncio.sleep(0)
            try:
                asked = decoded(raw, _requests)
                items.append(BatchItem(answer=await self._answer(request, asked)))
            except Refusal as refusal:
                items.append(BatchItem(problem=refusal.problem))
        return json_response(BatchAnswer(items), headers=FRESH)

    @endpoint(
        "GET",
        "/v1/playback/{title}/master.m3u8",
        gives="application/vnd.apple.mpegurl",
        refuses=(400, 401, 403, 404),
        query=(_CLIENT,),
    )
    async def hls(self, request: web.Request) -> web.Response:
        """The multivariant playlist made for this viewer: all its sources as pathways, best first."""
        client = self._client(request)
        decision = await self._playback.decide_once_known(request.match_info["title"], client, kind="hls")
        steered = follows_steering(request.headers.get("User-Agent", ""))
        url = self._steering_url(request, decision, client, "hls") if steered else ""
        text = multivariant_playlist(decision.title, decision.ranking.pathways, url)
        return web.Response(text=text, content_type="application/vnd.apple.mpegurl", headers=FRESH)

    @endpoint(
        "GET",
        "/v1/playback/{title}/manifest.mpd",
        gives="application/dash+xml",
        refuses=(400, 401, 403, 404),
        query=(_CLIENT,),
    )
    async def dash(self, request: web.Request) -> web.Response:
        """The MPD made for this viewer: all its sources as service locations, best first."""
        client = self._client(request)
        decision = await self._playback.decide_once_known(request.match_info["title"], client, kind="dash")
        template = decision.title.mpd
        if template is None:
            raise Refusal(404, f"{decision.title.title} was published without an MPD", remedy="play it by HLS")
        url = self._steering_url(request, decision, client, "dash")
        text = media_presentation(template, decision.ranking.pathways, url)
        return web.Response(text=text, content_type="application/dash+xml", headers=FRESH)

    @endpoint(
        "GET",
        "/v1/explain",
        gives=Explanation,
        refuses=(400, 404),
        query=(Query("title", "The title.", required=True), _CLIENT, _REJECTED),
    )
    async def explain(self, request: web.Request) -> web.Response:
        """The whole decision, with every source that lost and why."""
        client = self._client(request)
        named = request.query.get("rejected", "")
        if named and not (named.isascii() and named.isdigit() and len(named) < 8):
            raise Refusal(400, "rejected must be a whole number", field="rejected")
        edition = self._playback.edition(request.query.get("title", ""))
        decision = self._decider.decide(edition, client.address, kind="explain", explain=True)
        return json_response(
            Explanation(
                title=edition.id,
                client=client.address.text,
                client_from=client.source,
                prefix=decision.prefix,
                site=decision.viewer.home,
                region=decision.viewer.region,
                barred=decision.ranking.barred,
                pathways=pathway_answers(decision.ranking),
                rejected=rejected_answers(decision.ranking)[: int(named) if named else None],
                rejected_count=len(decision.ranking.rejected),
            ),
            headers=FRESH,
        )

    @endpoint("GET", "/steer/hls", gives=SteeringAnswer, query=_STEERED)
    async def steer_hls(self, request: web.Request) -> web.Response:
        """HLS Content Steering (RFC 8216bis §7): the order of pathways now, whatever is asked."""
        return self._steer(request, "steer-hls")

    @endpoint("GET", "/steer/dash", gives=SteeringAnswer, query=_STEERED)
    async def steer_dash(self, request: web.Request) -> web.Response:
        """DASH Content Steering (ETSI TS 103 998): the order of service locations now, whatever is asked."""
        return self._steer(request, "steer-dash")

    @endpoint("GET", "/r/{path:.*}", status=302, refuses=(400, 401, 403, 404), query=(_CLIENT,))
    async def redirect(self, request: web.Request) -> web.Response:
        """To one object at the best source that holds it, for what plays no manifest of ours."""
        path = "/" + request.match_info["path"]
        asset = self._decider.catalogue.asset_of_object(path)
        title = self._decider.catalogue.title_of(asset) if asset is not None else None
        if asset is None or title is None:
            raise Refusal(404, "No published object has this path")
        decision = await self._playback.decide_once_known(title.title, self._client(request), kind="redirect")
        source = source_of(asset, decision.ranking.pathways, 0)
        if not source.has(asset):
            raise Refusal(404, f"Nobody can serve {asset} now", detail="no source holds it and it has no origin")
        passed_on = request.rel_url.query.copy()
        passed_on.popall("client", None)
        query = f"?{request.rel_url.with_query(passed_on).raw_query_string}" if passed_on else ""
        return web.Response(status=302, headers={**FRESH, "Location": source.base + path + query})

    async def _answer(self, request: web.Request, asked: PlaybackRequest) -> PlaybackAnswer:
        if not asked.client and "client" in request.query:
            asked = replace(asked, client=request.query["client"])
        vouched = self._vouches(request) if asked.client else False
        await self._playback.known(asked.title)
        return self._playback.answer(asked, _caller(request), vouched=vouched)

    def _steer(self, request: web.Request, kind: str) -> web.Response:
        """Always 200 with a usable list: hls.js ends steering on a 429, dash.js on a 404."""
        query = request.query
        edition = self._decider.edition(query.get("title", ""))
        try:
            address = self._client(request).address
        except Refusal:  # a client= that is no address must not end a player's steering: do without
            address = self._playback.client(_caller(request), "").address
        playing = playing_from(query.get("_HLS_pathway", "") or query.get("_DASH_pathway", ""))
        declared = declared_pathways(query.get("pathways", ""))
        ranking = None
        if edition is not None:
            ranking = self._decider.decide(edition, address, kind=kind, playing=playing, declared=declared).ranking
        answer = steering_answer(
            declared,
            ranking,
            self._decider.standing,
            ttl_s=self._decider.settings.api.steering_ttl_s,
            playing=playing,
        )
        return json_response(answer, headers=FRESH)

    def _client(self, request: web.Request) -> Client:
        named = request.query.get("client", "")
        vouched = self._vouches(request) if named else False
        return self._playback.client(_caller(request), named, vouched=vouched)

    def _steering_url(self, request: web.Request, decision: Decision, client: Client, protocol: str) -> str:
        pathways = decision.ranking.pathways
        return steering_url(
            self._playback.base_url(_caller(request)), protocol, decision.title.title, pathways, carried(client)
        )


def _caller(request: web.Request) -> Caller:
    host = request.headers.get("Host", "")  # not request.host, which asks the resolver where there is none
    return Caller(request.remote or "", request.headers.getall("X-Forwarded-For", ()), host, request.scheme)
