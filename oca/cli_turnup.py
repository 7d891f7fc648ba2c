"""``oca init`` and ``oca check``: a box from bare to ready for viewers."""

from __future__ import annotations

import os
import pwd
import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from oca.common.addresses import parse_listen
from oca.common.box import Box
from oca.common.clock import now_s
from oca.common.command import EXIT_FAILED, ConfigOption, JsonOption, SetOption, print_json, print_line
from oca.common.errors import ConfigError
from oca.common.settings import is_there
from oca.common.settings_schema import toml
from oca.settings import INSTALLED, ApplianceSettings, load_settings
from oca.store import files
from oca.turnup.answers import Answers, next_steps, settings_text
from oca.turnup.checks import Wanted, run_checks
from oca.turnup.devices import mounts
from oca.turnup.finding import Finding, report, report_lines

STORES = Path("/var/lib/oca")
OWNER = "oca"
FILL_TEXT = """# Settings of the fill agent; each stays as it comes until set here: oca-fill config print.
[box]
config = {}
"""


def init(
    *,
    name: Annotated[str, typer.Option("--id", help="Name of this box, unique in the fleet; a DNS label.")] = "",
    site: Annotated[str, typer.Option("--site", help="The rack it stands in, as steering knows it.")] = "",
    device: Annotated[
        list[str] | None,
        typer.Option("--device", help="A folder on a device, repeatable; without it, what is mounted in /var/lib/oca."),
    ] = None,
    listen: Annotated[
        list[str] | None, typer.Option("--listen", help="Address and port for viewers, repeatable: 0.0.0.0:80.")
    ] = None,
    url: Annotated[
        list[str] | None, typer.Option("--url", help="How viewers reach it, where that is by another name; repeatable.")
    ] = None,
    steering: Annotated[str, typer.Option("--steering", help="Base URL of steering; none: it stands alone.")] = "",
    token_file: Annotated[str, typer.Option("--token-file", help="File with this box's token for steering.")] = "",
    out: Annotated[Path, typer.Option("--out", help="The file to write.")] = INSTALLED,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
) -> None:
    """Write the settings of this box, from flags and, on a terminal, from answers; make the folders of its devices."""
    if not force:
        _refuse_present(out)
    asks = _asks()
    found = [str(point) for point, _, _ in mounts() if point.parent == STORES]
    answers = Answers(
        id=name or _ask("Name of this box (--id)", socket.gethostname().partition(".")[0].lower(), asks=asks),
        site=site or _ask("Its rack, as steering knows it (--site)", "", asks=asks),
        devices=[
            str(Path(each).absolute())
            for each in device or found or [_ask("Folder on its device (--device)", str(STORES / "nvme0"), asks=asks)]
        ],
        listen=listen or [_ask("Address and port for viewers (--listen)", "0.0.0.0:80", asks=asks)],
        urls=url or (),
        steering=steering or (typer.prompt("URL of steering (--steering)", default="") if asks else ""),
        token_file=token_file,
        identity_file="" if out == INSTALLED else str(out.absolute().with_name("identity.json")),
    )
    _write(out, settings_text(answers))
    fill = out.with_name("fill.toml")
    if not fill.exists():
        fill.write_text(FILL_TEXT.format(toml(out.name)))
    for folder in answers.devices:
        _make_device(Path(folder))
    print_line(f"{out} written; next:")
    for step in next_steps(str(out), answers, installed=out == INSTALLED):
        print_line(f"  {step}")


def check(
    config: ConfigOption = None,
    sets: SetOption = None,
    measure: Annotated[
        bool, typer.Option(help="Also measure devices and sending: some 5 s, with a file of 128 MiB on each device.")
    ] = True,
    json: JsonOption = False,
) -> None:
    """Check what serving viewers takes: machine, devices, network, steering; each with the command that mends it."""
    try:
        settings = load_settings(config, sets or ())
        source = config or (INSTALLED if is_there(INSTALLED) else "the environment")
        findings = [Finding(name="settings", state="pass", why=f"{source} is good")]
        findings += run_checks(wanted_of(settings, measure=measure))
    except ConfigError as error:
        findings = [Finding(name="settings", state="fail", why=error.message, mend=error.remedy)]
    checked = report(findings)
    if json:
        print_json(checked)
    else:
        for line in report_lines(checked):
            print_line(line)
    if not checked.ready:
        raise typer.Exit(EXIT_FAILED)


def wanted_of(settings: ApplianceSettings, *, measure: bool) -> Wanted:
    """What the checks need of the settings.

    Raises:
        ConfigError: A certificate cannot be read.
    """
    certificates: list[tuple[str, float]] = []
    if settings.delivery.tls.certificates:
        from oca.delivery.certificates import read_pairs  # noqa: PLC0415 - loads cryptography

        pairs = read_pairs(settings.delivery.tls.certificates)
        certificates = [(pair.chain_file, pair.expires_at_s - now_s()) for pair in pairs]
    return Wanted(
        box=Box(appliance=settings.appliance, store=settings.store, steering=settings.steering),
        hosts=[parse_listen(text, setting="delivery.listen").host for text in settings.delivery.addresses],
        connections_max=settings.delivery.connections_max,
        workers=settings.delivery.workers,
        admin=settings.admin.listen,
        origin_url=settings.delivery.miss.origin_url if settings.delivery.miss.policy == "fetch" else "",
        certificates=certificates,
        owner=OWNER if _account() is not None else pwd.getpwuid(os.getuid()).pw_name,
        measure=measure,
        routes=settings.routes,
    )


def _refuse_present(out: Path) -> None:
    try:
        if not out.exists():
            return
    except OSError as error:
        remedy = "run it as root, or give --out FILE"
        raise ConfigError(f"{out}: cannot be looked at: {error.strerror}", remedy=remedy) from None
    raise ConfigError(f"{out} is there already", remedy="change it by hand, or give --force to write over it")


def _asks() -> bool:
    return sys.stdin.isatty()


def _ask(question: str, default: str, *, asks: bool) -> str:
    if asks:
        return str(typer.prompt(question, default=default or None))
    if not default:
        raise ConfigError(f"{question}: not given, and there is no terminal to ask on", remedy="give it as a flag")
    return default


def _write(out: Path, text: str) -> None:
    """Write the file whole or not at all, readable by the daemon; what would not start is not written."""
    fresh = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        fresh.write_text(text)
        load_settings(fresh)
        account = _account()
        if account is not None and os.geteuid() == 0:
            fresh.chmod(0o640)
            os.chown(fresh, 0, account.pw_gid)
        files.move(fresh, out)
    except ConfigError as error:
        raise ConfigError(error.message.replace(str(fresh), "these answers"), remedy=error.remedy) from None
    except OSError as error:
        remedy = "run it as root, or give --out FILE"
        raise ConfigError(f"{out}: cannot be written: {error.strerror}", remedy=remedy) from None
    finally:
        fresh.unlink(missing_ok=True)


def _make_device(folder: Path) -> None:
    """The folder of a device, the daemon's; one that is there keeps its owner."""
    if folder.is_dir() and folder not in {point for point, _, _ in mounts()}:
        return
    try:
        folder.mkdir(mode=0o750, exist_ok=True)
        account = _account()
        if account is not None and os.geteuid() == 0:
            os.chown(folder, account.pw_uid, account.pw_gid)
    except OSError as error:
        owner = f"-o {OWNER} -g {OWNER} " if _account() is not None else ""
        print_line(f"{folder}: not made: {error.strerror}; make it: install -d {owner}{folder}")


def _account() -> pwd.struct_passwd | None:
    with suppress(KeyError):
        return pwd.getpwnam(OWNER)
    return None
