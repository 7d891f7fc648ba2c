"""The ``oca`` command: where each of its commands is."""

from __future__ import annotations

from oca import __version__
from oca.common.command import new_app, run_app

COMMANDS = {
    "init": (
        "oca.cli_turnup:init",
        "Write the settings of this box, from flags and, on a terminal, from answers; make the folders of its devices.",
    ),
    "check": (
        "oca.cli_turnup:check",
        "Check what serving viewers takes: machine, devices, network, steering; each with the command that mends it.",
    ),
    "top": (
        "oca.cli_top:top",
        "Show the running appliance live: what it sends, its hottest assets and client prefixes. Ctrl-C ends it.",
    ),
    "support-bundle": (
        "oca.cli_support:support_bundle",
        "Put what a helper needs into one file: settings, status, metrics, checks, logs; no secret, no viewer.",
    ),
    "enrol": (
        "oca.cli_enrol:enrol",
        "Make a key on this box and have steering know it; a running daemon takes it up with its next report.",
    ),
    "serve": ("oca.cli_serve:serve", "Serve viewers until SIGTERM or Ctrl-C, then finish what is being sent."),
    "status": ("oca.cli_running:status", "Show the running appliance: serving state and why, load, store, steering."),
    "quality": (
        "oca.cli_running:quality",
        "Show what viewers had in the last quarter of an hour, by what their players tell (CMCD): who was starved.",
    ),
    "drain": (
        "oca.cli_running:drain",
        "Send no new viewers here; who plays is moved or finishes. Holds across restarts until 'oca undrain'.",
    ),
    "undrain": ("oca.cli_running:undrain", "Serve again."),
    "reload": (
        "oca.cli_running:reload",
        "Have the running appliance read its settings and files anew, as SIGHUP does; no viewer notices.",
    ),
    "upgrade": (
        "oca.cli_running:upgrade",
        "Let a new daemon of the version that is installed now take over, as SIGUSR2 does; no viewer notices.",
    ),
    "config": ("oca.cli_config:oca_config", "Print, check and explain the settings."),
    "routes": ("oca.cli_routes:routes_app", "Routes that the ISP announces to this box by BGP."),
    "store": ("oca.cli_store:store_app", "List, verify, load and mend what this box holds."),
    "token": ("oca.cli_token:token_app", "Make keys and signed URLs by hand; say why one is refused."),
}
app = new_app("oca", __version__, "Serve video segments from this appliance's store.", COMMANDS)


def main() -> None:
    """Run the command line."""
    run_app(app, "oca")


if __name__ == "__main__":
    main()
