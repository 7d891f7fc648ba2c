"""What is wrong with steering's settings although each value by itself is right. Pure."""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from oca.common.jwk import KEYS_MAX
from steering.key_schedule import HANDOVER_S, SHARED_S, keys_most

if TYPE_CHECKING:
    from steering.settings import SteeringSettings

ORIGIN_PATHWAY = "origin"
ORIGIN_RETRY_PATHWAY = "origin-retry"
CDN_PATHWAY = "cdn"
RESERVED_PATHWAYS = (ORIGIN_PATHWAY, ORIGIN_RETRY_PATHWAY, CDN_PATHWAY)


def prefix_fault(prefix: str) -> str:
    """Why ``prefix`` is none and what to do, or an empty string."""
    try:
        ipaddress.ip_network(prefix)
    except ValueError as error:
        if "host bits" in str(error):
            return "has bits set beyond its length; clear those bits, or write a longer prefix"
        return "is not an address prefix; write it like 192.0.2.0/24 or 2001:db8::/32"
    return ""


def contradictions(settings: SteeringSettings) -> Iterator[str]:
    """Each contradiction in words; the remedy follows the last semicolon."""
    for key, prefixes in (
        ("api.trusted_proxies", settings.api.trusted_proxies),
        ("api.open_to", settings.api.open_to),
        ("routes.allow", settings.routes.allow),
        ("tracing.callers", settings.tracing.callers),
        *((f"site {site.id}: within", site.within) for site in settings.site),
    ):
        for prefix in prefixes:
            if fault := prefix_fault(prefix):
                yield f"{key}: {prefix!r} {fault}"
    if settings.fleet.full_ratio <= settings.fleet.shed_from_ratio:
        yield "fleet.full_ratio is not above fleet.shed_from_ratio; raise it, or lower the other"
    if settings.history.engine != "duckdb" and settings.state.engine == "nats" and not settings.history.path:
        yield "history.path is empty, so that there are no files for Spark; name a folder that all of it sees"
    if settings.history.keep_days < settings.plan.history_days:
        yield "history.keep_days is less than plan.history_days, which plans look back; raise it, or lower the other"
    if fault := _keys_fault(settings):
        yield fault
    yield from _twice(settings)


def _keys_fault(settings: SteeringSettings) -> str:
    """What is wrong where more keys would be good at a time than appliances take."""
    signing = settings.signing
    if signing.mode == "off":
        return ""
    binds_clients, token_s = signing.bind_client != "off", signing.token_lifetime_s + SHARED_S
    most = keys_most(key_lifetime_s=signing.key_lifetime_s, token_lifetime_s=token_s, binds_clients=binds_clients)
    each = 2 if binds_clients else 1
    if most <= KEYS_MAX - each:
        return ""
    least_s = math.ceil((HANDOVER_S + token_s) / (KEYS_MAX // each - 2))
    told = (
        f"signing.key_lifetime_s is so short that {most} keys come to be good at a time, and appliances take {KEYS_MAX}"
    )
    return f"{told}, one made by hand among them; raise it to {least_s} s, or shorten signing.token_lifetime_s"


def _twice(settings: SteeringSettings) -> Iterator[str]:
    """Ids and prefixes that stand in two places."""
    sites: set[str] = set()
    appliances: dict[str, str] = {}
    claims: dict[str, str] = {}
    for site in settings.site:
        if site.id in sites:
            yield f"two [[site]] have the id {site.id}; give one another id"
        sites.add(site.id)
        for appliance in site.appliance:
            if appliance.id in RESERVED_PATHWAYS:
                yield f"site {site.id}: the appliance id {appliance.id} is reserved for the origin; give it another id"
            if appliance.id in appliances:
                twice = f"appliance {appliance.id} is in site {appliances[appliance.id]} and again in {site.id}"
                yield f"{twice}; take it out of one"
            appliances[appliance.id] = site.id
        for prefix in site.prefixes:
            if fault := prefix_fault(prefix):
                yield f"site {site.id}: prefix {prefix!r} {fault}"
            elif (claimed := claims.setdefault(str(ipaddress.ip_network(prefix)), site.id)) != site.id:
                yield f"prefix {prefix} is in site {claimed} and in {site.id}; take it out of one"
