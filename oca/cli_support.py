"""``oca support-bundle``: what a helper needs to see, in one file, without secrets and without viewers."""

from __future__ import annotations

import io
import os
import platform
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from oca import __version__
from oca.admin.client import ask_status, ask_text
from oca.cli_turnup import wanted_of
from oca.common.clock import now_ns, utc_of
from oca.common.command import ConfigOption, SetOption, print_line
from oca.common.errors import ConfigError, OcaError
from oca.common.settings_schema import toml
from oca.network.links import read_links
from oca.settings import ApplianceSettings, load_settings
from oca.turnup.checks import run_checks
from oca.turnup.finding import report, report_lines
from oca.turnup.redact import redacted

LOG_LINES = 5000
PART_BYTES_MAX = 16 * 2**20
UNITS = ("oca.service", "oca-fill.service")
PRESSURES = tuple(f"/proc/pressure/{what}" for what in ("cpu", "io", "memory"))
READ = ("/proc/meminfo", "/proc/mounts", *PRESSURES, "/etc/os-release")


def support_bundle(
    config: ConfigOption = None,
    sets: SetOption = None,
    out: Annotated[Path | None, typer.Option("--out", help="The file; without it, one named after the box.")] = None,
) -> None:
    """Put what a helper needs into one file: settings, status, metrics, checks, logs; no secret, no viewer."""
    settings = load_settings(config, sets or ())
    target = out or Path(f"oca-support-{settings.appliance.id}-{utc_of(now_ns()):%Y%m%dT%H%M%SZ}.tar.gz")
    own = _own_addresses()
    names = []
    try:
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file, tarfile.open(fileobj=file, mode="w:gz") as bundle:
            for name, text in _parts(settings):
                raw = redacted(text[-PART_BYTES_MAX:], own).encode()
                entry = tarfile.TarInfo(f"{target.name.removesuffix('.tar.gz')}/{name}")
                entry.size, entry.mtime = len(raw), now_ns() // 10**9
                bundle.addfile(entry, io.BytesIO(raw))
                names.append(name)
    except FileExistsError:
        raise ConfigError(f"{target}: is there already", remedy="remove it, or give another --out FILE") from None
    except OSError as error:
        remedy = "give --out FILE in a folder that can be written"
        raise ConfigError(f"{target}: cannot be written: {error.strerror}", remedy=remedy) from None
    print_line(f"{target}: {', '.join(names)}")
    print_line("Tokens, keys and addresses other than this box's are left out; look through it before you send it.")


def _parts(settings: ApplianceSettings) -> Iterator[tuple[str, str]]:
    """Each part by its name; what cannot be had says why."""
    yield "settings.toml", _settings_text(settings)
    listen = settings.admin.listen
    asked: dict[str, Callable[[], str]] = {
        "status.json": lambda: msgspec.json.format(msgspec.json.encode(ask_status(listen)), indent=2).decode(),
        "metrics.txt": lambda: ask_text(listen, "/metrics"),
        "health.json": lambda: ask_text(listen, "/health"),
    }
    for name, ask in asked.items():
        try:
            yield name, ask()
        except OcaError as error:
            yield name, f"{error}\n"
    checked = report(list(run_checks(wanted_of(settings, measure=False))))
    yield "check.txt", "".join(f"{line}\n" for line in report_lines(checked))
    yield "versions.txt", _versions()
    for path in READ:
        with suppress(OSError):
            yield f"system{path}", Path(path).read_text()
    yield "journal.txt", _journal()


def _settings_text(settings: ApplianceSettings) -> str:
    """What runs: every setting as it came out of file, environment and flags."""
    lines = []
    for table, values in msgspec.to_builtins(settings).items():
        lines += [f"{table}.{key} = {toml(value)}" for key, value in values.items()]
    return "\n".join(lines) + "\n"


def _versions() -> str:
    packages = sorted(f"{one.metadata['Name']} {one.version}" for one in metadata.distributions())
    head = [f"oca {__version__}", f"Python {platform.python_version()}", " ".join(platform.uname()[2:])]
    return "\n".join([*head, "", *packages]) + "\n"


def _journal() -> str:
    """The last lines of the services; a Debian without a journal has none."""
    units = [f"--unit={unit}" for unit in UNITS]
    command = ["/usr/bin/journalctl", *units, f"--lines={LOG_LINES}", "--output=short-iso", "--no-pager"]
    try:
        done = subprocess.run(command, capture_output=True, timeout=30, check=False)  # noqa: S603 - fixed words
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"the journal cannot be read: {error}\n"
    return (done.stdout or done.stderr).decode(errors="replace")


def _own_addresses() -> set[str]:
    with suppress(OcaError):
        return {address.partition("/")[0] for link in read_links() for address in link.addresses}
    return set()
