"""Writes the pages under docs/reference and the files under config/ from the declarations: ``python docs/generate.py``.

``--check`` writes nothing and fails where a page is not as it would be written; a style test runs it so.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import typer
from typer.testing import CliRunner

import fill.cli
import fill.settings
import oca.changes
import oca.cli
import steering.cli
import steering.settings
from docs.dashboards import dashboards
from docs.examples import with_examples
from fill.settings import FillSettings
from oca.common.config_command import TakenUp
from oca.common.later import whole
from oca.common.metrics import Family
from oca.common.settings import Key, keys, toml
from oca.delivery.metrics import DELIVERY
from oca.report.metrics import APPLIANCE
from oca.settings import ApplianceSettings
from oca.store.scrub_messages import SCRUB
from oca.turnup.kernel import sysctl_file
from steering.api.document import PARTS
from steering.api.endpoints import Endpoint, declared
from steering.api.openapi import open_path
from steering.metrics import STEERING
from steering.settings import SteeringSettings
from steering.trust.gate import wanted_role

ROOT = Path(__file__).resolve().parents[1]
GENERATED = "<!-- Written by docs/generate.py from the declarations in the code; change those, then run it. -->"
PROGRAMS: tuple[tuple[str, typer.Typer, str, type[msgspec.Struct], str, TakenUp], ...] = (
    ("oca", oca.cli.app, "appliance.toml", ApplianceSettings, "OCA", oca.changes.taken_up),
    ("oca-fill", fill.cli.app, "fill.toml", FillSettings, "OCAFILL", fill.settings.taken_up),
    ("oca-steering", steering.cli.app, "steering.toml", SteeringSettings, "OCASTEERING", steering.settings.taken_up),
)


def pages() -> Iterator[tuple[Path, str]]:
    """Every generated file, relative to the root, with what it must hold."""
    yield Path("docs/reference/settings.md"), settings_page()
    yield Path("docs/reference/metrics.md"), metrics_page()
    yield Path("docs/reference/commands.md"), commands_page()
    yield Path("docs/reference/api.md"), api_page()
    for _, app, file, *_ in PROGRAMS:
        printed = CliRunner().invoke(app, ["config", "print"], catch_exceptions=False)
        yield Path("config", file), printed.stdout
    yield Path("config/sysctl.conf"), sysctl_file()
    for name, text in dashboards():
        yield Path("config/dashboards", name), text
    for path in sorted((ROOT / "docs").glob("*.md")):
        yield path.relative_to(ROOT), with_examples(path.read_text())


def settings_page() -> str:
    """Every setting of every program."""
    lines = ["# Settings", "", GENERATED, ""]
    lines += [
        "A setting that is not inside `[[…]]` can also be given as `--set table.key=value`, or by the environment as"
    ]
    lines += ["`PREFIX_TABLE__KEY`, with the prefix that stands at each file."]
    for name, _, file, schema, prefix, taken_up in PROGRAMS:
        lines += ["", f"## {file}", "", f"Read by `{name}`; prefix `{prefix}`.", ""]
        rows = [(*_setting_row(key), taken_up(key.dotted)) for key in keys(schema)]
        lines += _table(("setting", "type and limits", "default", "meaning", "a change counts"), rows)
    return "\n".join(lines) + "\n"


def metrics_page() -> str:
    """Every metric that an appliance and steering show."""
    lines = ["# Metrics", "", GENERATED]
    for shown_by, families in (
        ("An appliance shows these at `GET /metrics` of its admin API.", (*APPLIANCE, *DELIVERY, *SCRUB)),
        ("Steering shows these at `GET /metrics`.", STEERING),
    ):
        lines += ["", shown_by, ""]
        lines += _table(("metric", "kind", "unit", "labels", "meaning"), map(_metric_row, families))
    return "\n".join(lines) + "\n"


def commands_page() -> str:
    """Every command with its options."""
    lines = ["# Commands", "", GENERATED, ""]
    lines += ["Exit codes: 0 done, 1 failed, 2 bad usage, 78 bad configuration, 130 interrupted."]
    for name, app, *_ in PROGRAMS:
        lines += _command_lines(name, whole(app))
    return "\n".join(lines) + "\n"


def api_page() -> str:
    """Every endpoint of steering."""
    lines = ["# Steering's API", "", GENERATED, ""]
    lines += [
        "What each takes and gives, field by field, is in the OpenAPI 3.1 document that every instance serves at",
        "`/openapi.json`. [steering.md](../steering.md) has examples. Who: the role that an operator must have; a dash",
        "is open to anyone; appliances prove themselves by their key or token.",
    ]
    for tag, parts in PARTS:
        lines += ["", f"## {tag[0].upper()}{tag[1:]}", ""]
        rows = [_endpoint_row(found) for part in parts for found in declared(part)]
        lines += _table(("endpoint", "who", "takes", "gives", "what for"), rows)
    return "\n".join(lines) + "\n"


def _endpoint_row(found: Endpoint) -> tuple[str, ...]:
    role = "appliance" if "{appliance}" in found.path else wanted_role(found.method, found.path) or "–"
    takes = getattr(found.takes, "__name__", "") or ", ".join(f"`{query.name}`" for query in found.query)
    gives = found.gives if isinstance(found.gives, str) else getattr(found.gives, "__name__", str(found.status))
    return f"`{found.method} {open_path(found.path)}`", role, takes, gives, found.meaning


def _command_lines(path: str, command: Any) -> Iterator[str]:
    depth = "##" if " " not in path else "###"
    yield from ("", f"{depth} {path}", "", " ".join((command.help or "").split()))
    parameters = [parameter for parameter in command.params if parameter.name != "help"]
    if parameters:
        yield ""
        for parameter in parameters:
            names = ", ".join((*parameter.opts, *parameter.secondary_opts))
            shown = names if parameter.param_type_name == "option" else (parameter.name or "").upper()
            yield f"- `{shown}` {getattr(parameter, 'help', '') or ''}".rstrip()
    for name, below in getattr(command, "commands", {}).items():
        yield from _command_lines(f"{path} {name}", below)


def _setting_row(key: Key) -> tuple[str, ...]:
    default = f"`{toml(key.default)}`" if key.has_default else "must be set"
    return f"`{key.dotted}`", key.wanted, default, key.meaning


def _metric_row(family: Family) -> tuple[str, ...]:
    name = f"oca_{family.name}" + ("_total" if family.kind == "counter" else "")
    labels = f"{family.label}: {', '.join(family.values)}" if family.label else ""
    return f"`{name}`", family.kind, family.unit, labels, family.help


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    columns = list(head)
    yield f"| {' | '.join(columns)} |"
    yield "|" + "---|" * len(columns)
    for row in rows:
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |"


def main(arguments: list[str]) -> int:
    """Write, or with ``--check`` compare."""
    stale = [(path, text) for path, text in pages() if not _holds(ROOT / path, text)]
    for path, text in stale:
        if "--check" not in arguments:
            (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
            (ROOT / path).write_text(text)
        sys.stdout.write(f"{path} {'is stale; run python docs/generate.py' if '--check' in arguments else 'written'}\n")
    return 1 if stale and "--check" in arguments else 0


def _holds(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text() == text


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
