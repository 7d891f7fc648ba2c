"""The catalogue and the fleet as anyone may look at them. How they are sent is the API's business."""

from __future__ import annotations

from collections.abc import Sequence

from oca import __version__
from oca.common.clock import monotonic_s, now_ns
from steering.api.messages import ApplianceView, AssetView, FleetView, HealthView, SiteView, TitlesView, TitleView
from steering.decision.decider import Decider
from steering.fleet.fleet import Fleet
from steering.fleet.liveness import clock_fault
from steering.titles.catalogue import Title

HOLDERS_NAMED_MAX = 20
PREFIXES_SHOWN_MAX = 20


def titles_view(decider: Decider) -> TitlesView:
    """Every title, and who holds what of it."""
    up = decider.fleet.holders.where(lambda name: decider.liveness(name).takes_viewers)
    live_copies = decider.settings.plan.live_copies
    return TitlesView([_title(title, decider.fleet, up, live_copies) for title in decider.catalogue.titles.each()])


def titles_page(decider: Decider, names: Sequence[str], *, matching: int, after: str) -> TitlesView:
    """Some titles, and who holds what of them."""
    up = decider.fleet.holders.where(lambda name: decider.liveness(name).takes_viewers)
    titles, live_copies = decider.catalogue.titles, decider.settings.plan.live_copies
    found = [title for name in names if (title := titles.get(name)) is not None]
    return TitlesView([_title(title, decider.fleet, up, live_copies) for title in found], matching, after)


def fleet_view(decider: Decider) -> FleetView:
    """Sites and appliances, how each stands and why."""
    sites = [
        SiteView(
            site=site.id,
            name=site.name or site.id,
            site_class=site.class_,
            latitude=site.latitude,
            longitude=site.longitude,
            prefixes=list(site.prefixes[:PREFIXES_SHOWN_MAX]),
        )
        for site in decider.settings.site
    ]
    return FleetView(sites, [appliance_view(decider, name, site) for name, site in decider.site_of.items()])


def health_view(decider: Decider, instances: Sequence[str] = (), faults: Sequence[str] = ()) -> HealthView:
    """What a load balancer and an operator ask first.

    ``instances`` are those of this service that are there; ``faults`` those of the work beside answering.
    """
    titles, appliances = len(decider.catalogue.titles), len(decider.site_of)
    up = sum(decider.liveness(name).takes_viewers for name in decider.site_of)
    reasons = [] if titles else ["no title is published"]
    if appliances and not up:
        reasons.append("no appliance is up: viewers are sent to the origin")
    reasons += faults
    return HealthView(
        verdict="degraded" if reasons else "ok",
        reasons=reasons,
        version=__version__,
        titles=titles,
        appliances=appliances,
        appliances_up=up,
        instances=list(instances),
    )


def _title(title: Title, fleet: Fleet, up: int, live_copies: int) -> TitleView:
    sets = fleet.holders.each_of(title.title, {asset.asset: asset.revision for asset in title.assets})
    holding = {asset: appliances & up for asset, appliances in sets.items()}
    some = 0
    for appliances in holding.values():
        some |= appliances
    # The same few are named for all its assets, so that "holds 3 of 5 assets" is true of each.
    named = fleet.holders.first(some, HOLDERS_NAMED_MAX)
    copies = min((appliances.bit_count() for appliances in holding.values()), default=0)
    return TitleView(
        title=title.title,
        name=title.name,
        synopsis=title.synopsis,
        duration_s=title.duration_s,
        bytes=sum(asset.bytes for asset in title.assets),
        regions=title.regions,
        released_at_ns=title.released_at_ns,
        poster=title.poster,
        holders_count=some.bit_count(),
        copies=copies,
        live=copies >= live_copies,
        assets=[
            AssetView(
                asset=asset.asset,
                kind=asset.kind,
                bytes=asset.bytes,
                bitrate_bits_per_s=asset.bitrate_bits_per_s,
                holders=fleet.holders.names(holding[asset.asset] & named),
                holders_count=holding[asset.asset].bit_count(),
            )
            for asset in title.assets
        ],
    )


def appliance_view(decider: Decider, name: str, site: str) -> ApplianceView:
    """One appliance, how it stands and why."""
    member = decider.fleet.members[name]
    report = member.report
    verdict = decider.liveness(name)
    if report is None:
        return ApplianceView(name, site, verdict.takes_viewers, verdict.standing, verdict.why, fill=member.fill)
    age_s = monotonic_s() - member.received_at_s
    clock = clock_fault(report, received_at_ns=now_ns() - int(age_s * 1e9))
    return ApplianceView(
        appliance=name,
        site=site,
        up=verdict.takes_viewers,
        standing=verdict.standing,
        why=verdict.why,
        verdict=report.health.verdict,
        reasons=[*report.health.reasons, *([clock] if clock else [])],
        serving=report.serving,
        report_age_s=round(age_s, 3),
        delivery_urls=report.delivery_urls,
        used_bytes=report.store.used_bytes,
        capacity_bytes=report.store.capacity_bytes,
        assets=report.store.assets,
        connections=report.load.connections,
        sent_bytes_per_s=report.load.sent_bytes_per_s,
        link_bytes_per_s=report.load.link_bytes_per_s,
        fill=member.fill,
        weight=verdict.weight,
        checks=decider.checks_of(name),
    )
