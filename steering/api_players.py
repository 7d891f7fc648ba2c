"""The endpoints that players and their services use: playback, manifests, content steering, redirects."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec
from aiohttp import web

from oca.common.problem import Refusal, json_response, read_body
from steering.address import Client, Trust, client_of
from steering.answer import (
    Explanation,
    PlaybackRequest,
    declared_pathways,
    pathway_answers,
    playback_answer,
    rejected_answers,
    source_of,
    steering_answer,
    steering_url,
)
from steering.catalogue import Title
from steering.decision import Decider, Decision
from steering.first_reports import FirstReports
from steering.manifests_dash import media_presentation
from steering.manifests_hls import follows_steering, multivariant_playlist

BODY_BYTES_MAX = 64 * 1024
FRESH = {"Cache-Control": "no-store"}
# RFC 9110 §7.2, as far as URLs in a manifest's attributes may hold it without quoting.
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{1,253})(:[0-9]{1,5})?")
_requests = msgspec.json.Decoder(PlaybackRequest)


class Players:
    """Handlers over one decision."""

    def __init__(self, decider: Decider, trusted: Trust, first_reports: FirstReports) -> None:
        self._decider = decider
        self._first_reports = first_reports
        self._trusted = trusted
        self._settings = decider.settings.api

    def routes(self) -> list[web.RouteDef]:
        """What to mount."""
        return [
            web.post("/v1/playback", self.playback),
            web.get("/v1/playback/{title}/master.m3u8", self.hls),
            web.get("/v1/playback/{title}/manifest.mpd", self.dash),
            web.get("/v1/explain", self.explain),
            web.get("/steer/hls", self.steer_hls),
            web.get("/steer/dash", self.steer_dash),
            web.get("/r/{path:.*}", self.redirect),
        ]

    async def playback(self, request: web.Request) -> web.Response:
        """Where this viewer gets a title from, and why."""
        asked = await read_body(request, _requests, bytes_max=BODY_BYTES_MAX)
        client = self._client(request, asked.client)
        decision = await self._decide(asked.title, client, kind="playback")
        return json_response(
            playback_answer(
                decision.title,
                decision.ranking,
                client=client.address.text,
                client_from=client.source,
                prefix=decision.prefix,
                site=decision.viewer.home,
                base_url=self._base_url(request),
                query=_carried(client),
            ),
            headers=FRESH,
        )

    async def hls(self, request: web.Request) -> web.Response:
        """The multivariant playlist made for this viewer."""
        client = self._client(request)
        decision = await self._decide(request.match_info["title"], client, kind="hls")
        steered = follows_steering(request.headers.get("User-Agent", ""))
        url = self._steering_url(request, decision, client, "hls") if steered else ""
        text = multivariant_playlist(decision.title, decision.ranking.pathways, url)
        return web.Response(text=text, content_type="application/vnd.apple.mpegurl", headers=FRESH)

    async def dash(self, request: web.Request) -> web.Response:
        """The MPD made for this viewer."""
        client = self._client(request)
        decision = await self._decide(request.match_info["title"], client, kind="dash")
        template = decision.title.mpd
        if template is None:
            raise Refusal(404, f"{decision.title.title} was published without an MPD", remedy="play it by HLS")
        url = self._steering_url(request, decision, client, "dash")
        text = media_presentation(template, decision.ranking.pathways, url)
        return web.Response(text=text, content_type="application/dash+xml", headers=FRESH)

    async def explain(self, request: web.Request) -> web.Response:
        """The whole decision, with every source that lost."""
        client = self._client(request)
        title = self._title(request.query.get("title", ""))
        decision = self._decider.decide(title, client.address, kind="explain", explain=True)
        return json_response(
            Explanation(
                title=title.title,
                client=client.address.text,
                client_from=client.source,
                prefix=decision.prefix,
                site=decision.viewer.home,
                region=decision.viewer.region,
                barred=decision.ranking.barred,
                pathways=pathway_answers(decision.ranking),
                rejected=rejected_answers(decision.ranking),
            ),
            headers=FRESH,
        )

    async def steer_hls(self, request: web.Request) -> web.Response:
        """HLS Content Steering."""
        return self._steer(request, "steer-hls")

    async def steer_dash(self, request: web.Request) -> web.Response:
        """DASH Content Steering."""
        return self._steer(request, "steer-dash")

    async def redirect(self, request: web.Request) -> web.Response:
        """To one object at the best source that holds it, for what plays no manifest of ours."""
        path = "/" + request.match_info["path"]
        asset = self._decider.catalogue.asset_of_object(path)
        title = self._decider.catalogue.title_of(asset) if asset is not None else None
        if asset is None or title is None:
            raise Refusal(404, "No published object has this path")
        decision = await self._decide(title.title, self._client(request), kind="redirect")
        source = source_of(asset, decision.ranking.pathways, 0)
        if not source.has(asset):
            raise Refusal(404, f"Nobody can serve {asset} now", detail="no source holds it and it has no origin")
        passed_on = request.rel_url.query.copy()
        passed_on.popall("client", None)
        query = f"?{request.rel_url.with_query(passed_on).raw_query_string}" if passed_on else ""
        return web.Response(status=302, headers={**FRESH, "Location": source.base + path + query})

    def _steer(self, request: web.Request, kind: str) -> web.Response:
        """Always 200 with a usable list: hls.js ends steering on a 429, dash.js on a 404."""
        query = request.query
        title = self._decider.catalogue.titles.get(query.get("title", ""))
        try:
            address = self._client(request).address
        except Refusal:  # a client= that is no address must not end a player's steering: do without
            address = client_of(request.remote or "", _forwarded(request), "", self._trusted).address
        ranking = self._decider.decide(title, address, kind=kind).ranking if title is not None else None
        answer = steering_answer(
            declared_pathways(query.get("pathways", "")),
            ranking,
            self._decider.standing,
            ttl_s=self._settings.steering_ttl_s,
        )
        return json_response(answer, headers=FRESH)

    def _title(self, name: str) -> Title:
        title = self._decider.catalogue.titles.get(name)
        if title is None:
            raise Refusal(404, "No such title", field="$.title", remedy="GET /v1/titles lists them")
        return title

    async def _decide(self, name: str, client: Client, *, kind: str) -> Decision:
        self._title(name)
        await self._first_reports.wait()
        decision = self._decider.decide(self._title(name), client.address, kind=kind)
        if decision.ranking.barred:
            raise Refusal(403, f"{name} may not be served to this client", detail=decision.ranking.barred)
        if not decision.ranking.pathways:
            lost = "; ".join(f"{pathway}: {why}" for pathway, why in decision.ranking.rejected[:10])
            raise Refusal(
                404, f"Nobody can serve {name} now", detail=lost or "no appliance and no origin is configured"
            )
        return decision

    def _client(self, request: web.Request, parameter: str = "") -> Client:
        return client_of(
            request.remote or "",
            _forwarded(request),
            parameter or request.query.get("client", ""),
            self._trusted,
        )

    def _base_url(self, request: web.Request) -> str:
        if self._settings.public_url:
            return self._settings.public_url.rstrip("/")
        host = request.headers.get("Host", "")  # not request.host, which asks the resolver where there is none
        if not _HOST.fullmatch(host):
            raise Refusal(
                400, "The Host header is no host", remedy="name the host that was asked, or set api.public_url"
            )
        return f"{request.scheme}://{host}"

    def _steering_url(self, request: web.Request, decision: Decision, client: Client, protocol: str) -> str:
        pathways = decision.ranking.pathways
        return steering_url(self._base_url(request), protocol, decision.title.title, pathways, _carried(client))


def _forwarded(request: web.Request) -> Sequence[str]:
    return request.headers.getall("X-Forwarded-For", ())


def _carried(client: Client) -> str:
    """What later requests of the same player must say again: the client, where it was named and not seen."""
    return f"client={client.address.text}" if client.source == "parameter" else ""
