"""What ``steering.toml`` may hold: the service, its state, the fleet it trusts, the plan and the origin."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, field

from oca.common.addresses import ListenAddress
from oca.common.log import LogTable
from oca.common.messages import Name
from oca.common.routes import ROUTES_MAX
from oca.common.settings import Table, load
from steering.decision.feedback_settings import FeedbackTable
from steering.decision.log_settings import DecisionLogTable
from steering.fleet.turnup_settings import TurnupTable
from steering.history.settings import HistoryTable
from steering.plan.settings import PlanTable
from steering.probing.settings import ProbesTable
from steering.settings_check import contradictions
from steering.signing_settings import SigningTable
from steering.state.settings import StateTable
from steering.tracing_settings import SteeringTracingTable
from steering.trust.settings import EnrolmentTable, LimitsTable, OperatorsTable

PREFIX = "OCASTEERING"
INSTALLED = Path("/etc/oca-steering/steering.toml")
HEADING = """Settings of steering: oca-steering serve --config steering.toml
Each key is shown with its default. Any key outside [[site]] can also be set by the environment, as
OCASTEERING_TABLE__KEY, or by --set table.key=value. 'oca-steering config check FILE' checks a file."""
SiteClass = Literal["embedded", "peering", "regional"]
Url = Annotated[
    str,
    Meta(
        pattern=r"\A(https?://[A-Za-z0-9.:\[\]_-]{1,253}(/[A-Za-z0-9._~/-]{0,200})?)?\Z",
        extra={"form": "empty, or http:// or https://, a host, its port if need be, and a path if need be"},
    ),
]
Prefixes = tuple[Annotated[str, Meta(max_length=49)], ...]


class ApiTable(Table, frozen=True):
    """The HTTP API that players, appliances and operators use."""

    listen: Annotated[ListenAddress, Meta(description="Address and port to listen on.")] = "127.0.0.1:8090"
    public_url: Annotated[
        Url,
        Meta(
            description="Base URL under which players reach this service; empty: what each request names as its host."
        ),
    ] = ""
    trusted_proxies: Annotated[
        Prefixes,
        Meta(
            description="Prefixes whose X-Forwarded-For is believed; client= only if all on the way are among them.",
            max_length=1000,
        ),
    ] = ("127.0.0.0/8", "::1/128")
    open_to: Annotated[
        Prefixes,
        Meta(description="Prefixes, besides loopback, from which appliances without a token_file are let in."),
    ] = ()
    connections_max: Annotated[
        int,
        Meta(
            ge=1,
            le=1_000_000,
            description="Connections open at once; any beyond are closed. A player may keep its own all along.",
            extra={"unit": "connections"},
        ),
    ] = 10_000
    pathways_max: Annotated[
        int, Meta(ge=1, le=16, description="Appliances offered to one viewer; the origin comes on top.")
    ] = 4
    steering_ttl_s: Annotated[
        int,
        Meta(ge=1, le=300, description="How often a player asks which pathway is best.", extra={"unit": "seconds"}),
    ] = 10


class FleetTable(Table, frozen=True):
    """When an appliance counts as gone. Limit: report_interval_s × missed_reports_max + report_grace_s."""

    report_interval_s: Annotated[
        float, Meta(ge=0.1, le=300, description="How often appliances report.", extra={"unit": "seconds"})
    ] = 2.0
    missed_reports_max: Annotated[
        int, Meta(ge=1, le=100, description="Missed reports after which no new viewer is sent there.")
    ] = 2
    report_grace_s: Annotated[
        float, Meta(ge=0, le=60, description="Slack for the network on top.", extra={"unit": "seconds"})
    ] = 0.5
    return_s: Annotated[
        float,
        Meta(
            ge=0,
            le=14400,
            description="How long an appliance that was gone or unreachable has to stay before it takes viewers again, "
            "from its second return within a day on; four times that at each further one, up to four hours. 0: none.",
            extra={"unit": "seconds"},
        ),
    ] = 900.0
    shed_from_ratio: Annotated[
        float,
        Meta(gt=0, lt=1, description="Share of its capacity in use from which a box takes fewer new viewers."),
    ] = 0.8
    viewer_bits_per_s: Annotated[
        int,
        Meta(
            ge=1000,
            le=10**9,
            description="What a new viewer is taken to need of a box's links until its report shows it.",
            extra={"unit": "bits/s"},
        ),
    ] = 5_000_000
    shed_by_cpu: Annotated[
        bool,
        Meta(
            description="Whether busy cores count as capacity in use, beside links; false where boxes share their "
            "machines with other programs, or with each other."
        ),
    ] = True
    full_ratio: Annotated[
        float,
        Meta(
            gt=0, le=1, description="Share of its capacity in use from which a box takes none; above shed_from_ratio."
        ),
    ] = 0.95


class RoutesTable(Table, frozen=True):
    """What appliances hear by BGP, and which of it may steer viewers."""

    allow: Annotated[
        Prefixes,
        Meta(
            description="Prefixes that count although private, reserved or far too wide: where viewers come from such "
            "addresses.",
            max_length=1000,
        ),
    ] = ()
    appliance_routes_max: Annotated[
        int,
        Meta(
            ge=1,
            le=ROUTES_MAX,
            description="Routes that one appliance may tell of; a full table has 1.2 million.",
            extra={"unit": "routes"},
        ),
    ] = 2_000_000


class OriginTable(Table, frozen=True):
    """The last resort: any HTTP server with Range support over the published folders."""

    url: Annotated[Url, Meta(description="Base URL of the origin for titles published without one of their own.")] = ""
    cdn_url: Annotated[
        Url,
        Meta(
            description="Base URL of a commercial CDN that serves the same paths: players go there when no appliance "
            "has room for them, and before the origin. Empty: none. Titles with an origin of their own go without."
        ),
    ] = ""
    for_players: Annotated[
        bool,
        Meta(
            description="Whether players are sent to the origin as the last resort; false where appliances alone reach "
            "it, as with a private bucket."
        ),
    ] = True


class SiteAppliance(Table, frozen=True):
    """An appliance that may report from this site."""

    id: Annotated[Name, Meta(description="Its name, as in its appliance.toml.", examples=["fra1-a"])]
    token_file: Annotated[
        str,
        Meta(
            description="File with the token it must show, 16 to 4096 printable ASCII characters on one line; empty: "
            "let in by address alone (see api.open_to). Once it is enrolled, its key counts and nothing else."
        ),
    ] = ""
    egress_bits_per_s: Annotated[
        int,
        Meta(
            ge=0,
            le=10**13,
            description="What it can send, for plans: hot assets are spread so that no box is asked for more; "
            "0: not known, not limited.",
            extra={"unit": "bits/s"},
        ),
    ] = 0


class Site(Table, frozen=True):
    """A rack in one network."""

    id: Annotated[Name, Meta(description="Its name.", examples=["fra1"])]
    name: Annotated[str, Meta(max_length=100, description="What people call it.")] = ""
    class_: Annotated[
        SiteClass,
        Meta(description="embedded serves only clients in its prefixes; the others serve anyone, their own first."),
    ] = field(default="embedded", name="class")
    latitude: Annotated[float, Meta(ge=-90, le=90, description="North is positive.", extra={"unit": "degrees"})] = 0.0
    longitude: Annotated[float, Meta(ge=-180, le=180, description="East is positive.", extra={"unit": "degrees"})] = 0.0
    region: Annotated[
        str,
        Meta(
            description="Country of the site, for rights; empty: unknown.",
            pattern=r"\A([A-Z]{2})?\Z",
            extra={"form": "an ISO 3166 code of two capital letters, or empty"},
        ),
    ] = ""
    isp: Annotated[
        str,
        Meta(
            max_length=100,
            description="Whose network it stands in; sites of one ISP share its prefixes. Empty: a network of its own.",
        ),
    ] = ""
    prefixes: Annotated[
        Prefixes,
        Meta(
            description="Prefixes of its clients, beside those that its appliances hear by BGP.", max_length=1_000_000
        ),
    ] = ()
    prefix_file: Annotated[
        str,
        Meta(
            description="File with more of them, one a line, # begins a comment; read again when it changes. Empty: "
            "none."
        ),
    ] = ""
    within: Annotated[
        Prefixes,
        Meta(
            description="What its appliances hear by BGP counts only inside these; empty: anywhere but in the prefixes "
            "of other ISPs' sites.",
            max_length=10_000,
        ),
    ] = ()
    appliance: tuple[SiteAppliance, ...] = ()


class SteeringSettings(Table, frozen=True):
    """All settings of the service."""

    api: ApiTable = ApiTable()
    state: StateTable = StateTable()
    fleet: FleetTable = FleetTable()
    probes: ProbesTable = ProbesTable()
    turnup: TurnupTable = TurnupTable()
    feedback: FeedbackTable = FeedbackTable()
    routes: RoutesTable = RoutesTable()
    plan: PlanTable = PlanTable()
    history: HistoryTable = HistoryTable()
    origin: OriginTable = OriginTable()
    signing: SigningTable = SigningTable()
    enrolment: EnrolmentTable = EnrolmentTable()
    operators: OperatorsTable = OperatorsTable()
    limits: LimitsTable = LimitsTable()
    decision_log: DecisionLogTable = DecisionLogTable()
    log: LogTable = LogTable()
    tracing: SteeringTracingTable = SteeringTracingTable()
    site: tuple[Site, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what contradicts itself across keys; the remedy follows the last semicolon."""
        for contradiction in contradictions(self):
            raise ValueError(contradiction)


def load_settings(path: Path | None, sets: Sequence[str] = ()) -> SteeringSettings:
    """The settings from ``path`` (or the installed file, if there is one), the environment and ``sets``.

    Raises:
        ConfigError: Naming file, key, value and limit.
    """
    return load(SteeringSettings, path, environment=os.environ, prefix=PREFIX, sets=sets, installed=INSTALLED)


def taken_up(_key: str) -> str:
    """When a changed setting counts."""
    return "after a restart"
