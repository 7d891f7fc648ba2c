"""One run of the demo: prepares everything, says when films can be watched and what to try, and watches over it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

from demo.check import Finding, check
from demo.process import LOOK_S
from demo.screen import complain, say, work
from demo.system import System
from oca.common.clock import monotonic_s
from oca.common.command import EXIT_FAILED


async def live(system: System, library: Path, began_s: float, *, is_check: bool) -> int:
    """Run until Ctrl-C, or until the check is done; nothing is left running.

    Args:
        system: What to run, not started.
        library: The folder with the encoded films.
        began_s: When the command began, on the monotonic clock.
        is_check: Play and report instead of inviting people to.

    Returns:
        The exit code.
    """
    task = asyncio.current_task()
    assert task is not None, "runs in a task"
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        title = await _prepare(system)
        if is_check:
            return 0 if await check(system, title, library, _tell) else EXIT_FAILED
        await _invite(system, title, monotonic_s() - began_s)
        with contextlib.suppress(asyncio.CancelledError):  # Ctrl-C is how this is meant to end
            await _watch_over(system)
    finally:
        await system.stop()
    return 0


async def _prepare(system: System) -> str:
    several = len(system.places.instances) > 1
    shared = "three instances of steering that share a NATS cluster" if several else "steering"
    say(f"Starting origin, {shared}, and three appliances at two sites")
    await system.start()
    with work("Publishing films", len(system.films)) as advance:
        await system.publish(advance)
    say("Importing a day of made-up demand, and planning the night by it")
    await system.plan()
    with work("Overnight fill", 1) as advance:
        await system.fill(advance)
    return await system.playable()


async def _invite(system: System, title: str, took_s: float) -> None:
    places = system.places
    nearest = (await system.playback(title))["pathways"][0]["pathway"]
    other = next(appliance.id for appliance in places.appliances if appliance.id != nearest)
    again = system.serve_command(nearest)
    say()
    say(f"Ready after {took_s:.0f} s. Watch a film: {places.steering_url}/#{title}")
    say()
    say("Try, in another terminal, while it plays:")
    for what, command in (
        (
            f"stop the nearest appliance, {nearest}, as a power cut would",
            _kill(system, nearest),
        ),
        ("start it again", again),
        (f"drain {other}: who plays there is moved, nobody new comes", _oca(system, "drain", other)),
        ("take it back into service", _oca(system, "undrain", other)),
        ("ask steering why", _steering(system, "explain", "--title", title)),
        ("see the plan of the night", _steering(system, "plan")),
        *_of_several(system),
    ):
        say(f"  {what}:\n      {shown(command)}")
    say()
    say(f"Logs are in {_near(system.logs)}. The demand behind the plan is made up. Ctrl-C stops everything.")


def _of_several(system: System) -> Iterator[tuple[str, list[str]]]:
    """What to try where instances share their state."""
    if not system.places.nats:
        return
    last = system.places.instances[-1].name
    yield f"stop an instance of steering, {last}; the others answer", _kill(system, last)
    servers = [f"nats-{number + 1}" for number in range(len(system.places.nats))]
    groups = [f"-{_group(system, name)}" for name in servers]
    yield "stop the engine under all of them; they answer on and say so in /health", ["kill", "-9", "--", *groups]
    yield "ask an instance what it knows of the engine", _steering(system, "state", "show")


def _kill(system: System, name: str) -> list[str]:
    return ["kill", "-9", "--", f"-{_group(system, name)}"]


async def _watch_over(system: System) -> None:
    while True:
        for process in system.ended():
            complain(f"{process.failure()}; all else runs on. Start it again with: {shown(process.command)}")
        await asyncio.sleep(LOOK_S * 4)


def shown(command: list[str]) -> str:
    """A command as one would type it here."""
    return shlex.join(_near(part) for part in command)


def _near(path: str | Path) -> str:
    """``path`` from the current folder where it lies below it: short to read and to type."""
    text = str(path)
    return os.path.relpath(text) if text.startswith(str(Path.cwd()) + os.sep) else text


def _group(system: System, appliance: str) -> int:
    return system.processes[appliance].group


def _oca(system: System, verb: str, appliance: str) -> list[str]:
    program = str(Path(sys.executable).parent / "oca")
    return [program, verb, "--config", str(system.appliance_config(appliance))]


def _steering(system: System, *arguments: str) -> list[str]:
    program = str(Path(sys.executable).parent / "oca-steering")
    return [program, *arguments, "--config", str(system.steering_config)]


def _tell(finding: Finding) -> None:
    say(f"{'good' if finding.is_good else 'BAD '}  {finding.what}: {finding.seen}")
