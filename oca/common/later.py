"""Commands that are loaded when they are called: a program starts with what the command given needs, and no more.

With every command loaded ``oca status`` would take an HTTP server, two crypto libraries and a terminal toolkit along.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup

Places = Mapping[str, tuple[str, str]]
"""Command → where it is, as ``module:name`` of a function or of a ``typer.Typer``, and what the list of commands says
of it: the first paragraph of its help, which a test holds to that.
"""


class _Unloaded(TyperCommand):
    """Stands for a command in the list."""


class LaterGroup(TyperGroup):
    """A group whose commands are at ``places``; ``after`` makes such a class."""

    places: ClassVar[Places] = {}

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for name, (_, about) in self.places.items():
            self.commands[name] = _Unloaded(name=name, help=about)

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Load the command that was given, then do as any group does."""
        self.load(args[0])
        return super().resolve_command(ctx, args)

    def load(self, name: str) -> None:
        """Have the command itself in the place of what stands for it."""
        if isinstance(self.commands.get(name), _Unloaded):
            self.commands[name] = _command_at(self.places[name][0], name)


def later(places: Places) -> type[LaterGroup]:
    """The class of a group of these commands."""
    return type("Later", (LaterGroup,), {"places": places})


def whole(app: typer.Typer) -> Any:
    """The command of ``app`` with everything loaded: for those who describe it."""
    command = typer.main.get_command(app)
    if isinstance(command, LaterGroup):
        for name in command.places:
            command.load(name)
    return command


def _command_at(place: str, name: str) -> Any:
    module, _, attribute = place.partition(":")
    found = getattr(import_module(module), attribute)
    if isinstance(found, typer.Typer):
        command: Any = typer.main.get_group(found)
        command.name = name
        return command
    alone = typer.Typer(add_completion=False)
    alone.command(name)(found)
    return typer.main.get_command(alone)
