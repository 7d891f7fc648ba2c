"""The command ``oca-fill``: where each of its commands is."""

from __future__ import annotations

from oca import __version__
from oca.common.command import new_app, run_app

NAME = "oca-fill"
COMMANDS = {
    "run": (
        "fill.cli_run:run",
        "Ask steering for the plan, evict what must give way, fetch what is missing, commit each asset whole.",
    ),
    "plan": ("fill.cli_plan:plan", "Show what a fill would do now, and why, without doing it."),
    "report": (
        "fill.cli_state:report",
        "Show what the last nights' fills brought: bytes and assets, by source, what was refused, and what came of it.",
    ),
    "status": ("fill.cli_state:status", "Show whether a fill runs, how far it is, and what holds it back."),
    "pause": (
        "fill.cli_state:pause",
        "Fetch nothing more, urgent or not, until resume; a fill that runs stops within seconds and keeps what came.",
    ),
    "resume": ("fill.cli_state:resume", "End a pause; an agent that runs goes on within seconds."),
    "config": ("fill.cli_config:fill_config", "Print, check and explain the settings."),
}
app = new_app(NAME, __version__, "Load tomorrow's popular titles onto this appliance, overnight.", COMMANDS)


def main() -> None:
    """Entry point."""
    run_app(app, NAME)
