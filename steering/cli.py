"""The ``oca-steering`` command: where each of its commands is."""

from __future__ import annotations

from oca import __version__
from oca.common.command import new_app, run_app

COMMANDS = {
    "drain": (
        "steering.commands.drain:drain",
        "Send no new viewers to an appliance or a site; who plays there is moved. 'undrain' takes it back.",
    ),
    "undrain": (
        "steering.commands.drain:undrain",
        "Send viewers to an appliance or a site again that was drained from here.",
    ),
    "fleet": (
        "steering.commands.fleet:fleet",
        "Show how each appliance stands and why, what new ones have yet to pass, and which instances observe them.",
    ),
    "audit": (
        "steering.commands.audit:audit",
        "Show the audit log: every change of the fleet, titles, keys and users.",
    ),
    "history": (
        "steering.commands.history:history",
        "Show past demand by day, asked of the engine that plans use; hours that are not over yet are not in it.",
    ),
    "publish": (
        "steering.commands.catalogue:publish",
        "Put a packaged title into the catalogue, in place of its last version; a running service takes it up.",
    ),
    "unpublish": (
        "steering.commands.unpublish:unpublish",
        "Take titles out of the catalogue, with all their assets; a running service takes it up.",
    ),
    "titles": ("steering.commands.catalogue:titles", "List what is published."),
    "plan": (
        "steering.commands.plan:plan",
        "Show what each appliance is to hold: the last night's plan, or what would be planned if there is none.",
    ),
    "replay": (
        "steering.commands.replay:replay",
        "Make logged decisions again by these settings: what moves, how far, and whom it would fill.",
    ),
    "serve": ("steering.commands.serve:serve", "Serve players, appliances and the page until SIGTERM or Ctrl-C."),
    "explain": (
        "steering.commands.explain:explain",
        "Ask the running service where it would send a viewer, and why the other sources lost.",
    ),
    "config": ("steering.commands.config:steering_config", "Print, check and explain the settings."),
    "demand": ("steering.commands.plan:demand_app", "Past demand, which plans are made from."),
    "enrol": ("steering.commands.enrol:enrol_app", "Enrol appliances: each gets a key of its own."),
    "keys": ("steering.commands.keys:keys_app", "The keys that sign URLs."),
    "routes": ("steering.commands.routes:routes_app", "Routes that ISPs announce to appliances by BGP."),
    "state": ("steering.commands.state:state_app", "Where the state is kept: in a folder, or shared by NATS."),
    "turnup": (
        "steering.commands.drain:turnup_app",
        "New appliances: what they have to pass before their first viewer.",
    ),
    "users": ("steering.commands.users:users_app", "Operators: who may log in, as what."),
}
app = new_app(
    "oca-steering", __version__, "Steer viewers to the nearest appliance that holds what they watch.", COMMANDS
)


def main() -> None:
    """Run the command line."""
    run_app(app, "oca-steering")
