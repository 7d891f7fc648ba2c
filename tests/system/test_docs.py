"""The pages: links lead somewhere, commands are real, and settings, metrics and alerts they name exist."""

from __future__ import annotations

import ast
import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from typer.testing import CliRunner

import fill.cli
import oca.cli
import steering.cli
from docs import check_site
from oca.common.later import whole
from tests.system import docs_commands

pytestmark = pytest.mark.system

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    *(path for path in sorted((ROOT / "docs").glob("*.md")) if path.name != "index.md"),
    *(ROOT / name for name in ("README.md", "SECURITY.md", "CONTRIBUTING.md")),
]
LINK = re.compile(r"\]\(([^)\s]+)\)")
APPS = {"oca": oca.cli.app, "oca-fill": fill.cli.app, "oca-steering": steering.cli.app}
PROGRAMS = {name: whole(app) for name, app in APPS.items()}


def anchors(page: Path) -> set[str]:
    """Of a page's headings, as they are made of them: lower case, no punctuation, hyphens for spaces."""
    heads = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def commands(text: str) -> list[list[str]]:
    """Our commands in a page: in blocks of code and between backticks."""
    blocks = re.findall(r"^ *```\w*\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE)
    blocks = [block for block in blocks if not block.startswith("pass  ")]
    spans = re.findall(r"`([^`\n]+)`", re.sub(r"^ *```.*?^ *```", "", text, flags=re.DOTALL | re.MULTILINE))
    found = []
    for piece in [*"\n".join(blocks).replace("\\\n", " ").splitlines(), *spans]:
        for part in re.split(r"\s*(?:&&|\|\||[|;>])\s*", piece.partition("  #")[0].partition(" …")[0].strip()):
            try:
                words = shlex.split(part)
            except ValueError:
                continue
            while words and (words[0] in ("sudo", "nice", "systemd-run") or words[0].startswith(("-", "/opt/"))):
                words.pop(0) if words[0] not in PROGRAMS else None
            if words and words[0] in PROGRAMS and len(words) > 1 and re.match(r"[a-z-]", words[1]):
                found.append(words)
    return found


def wrong_in(words: list[str]) -> str:
    """What of a command our programs do not know; empty where all is well."""
    command: Any = PROGRAMS[words[0]]
    rest = words[1:]
    while rest and getattr(command, "commands", None):
        if rest[0] == "…" or rest[0].startswith("-"):
            break
        if rest[0] not in command.commands:
            return f"no command {rest[0]}"
        command, rest = command.commands[rest[0]], rest[1:]
    known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    known |= {"--help", "--version", "--debug"}
    options = (word.partition("=")[0] for word in rest if word.startswith("--"))
    return ", ".join(option for option in options if option not in known)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_docs_links_lead_somewhere(page: Path) -> None:
    dead = []
    for target in LINK.findall(page.read_text()):
        if target.startswith(("http:", "https:", "mailto:")):
            continue
        file, _, anchor = target.partition("#")
        to = (page.parent / file).resolve() if file else page
        if not to.exists() or (anchor and anchor not in anchors(to)):
            dead.append(target)
    assert not dead


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_docs_commands_are_known(page: Path) -> None:
    text = page.read_text()
    wrong = {" ".join(words): why for words in commands(text) if (why := wrong_in(words))}
    assert not wrong


def test_docs_name_enough_commands_to_mean_something() -> None:
    named = {" ".join(words[:2]) for page in PAGES for words in commands(page.read_text())}
    assert {"oca init", "oca check", "oca drain", "oca top", "oca-fill run", "oca-steering explain"} <= named


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("`oca drian`", "no command drian"),
        ("```\noca drain --until 2h\n```\n", "--until"),
        ("`oca-fill run --now`", ""),
        ("`oca store frobnicate`", "no command frobnicate"),
    ],
)
def test_docs_check_finds_wrong_command(text: str, why: str) -> None:
    (words,) = commands(text)
    assert wrong_in(words) == why


def test_docs_are_each_reached_from_readme() -> None:
    seen: set[Path] = set()
    left = [ROOT / "README.md"]
    while left:
        page = left.pop()
        if page in seen or page.suffix != ".md" or not page.is_file():
            continue
        seen.add(page)
        left += [(page.parent / target.partition("#")[0]).resolve() for target in LINK.findall(page.read_text())]
    assert set((ROOT / "docs").glob("*.md")) - {ROOT / "docs/index.md"} <= seen


def test_docs_are_each_in_the_site() -> None:
    named = set(re.findall(r"<([a-z/]+)>$", (ROOT / "docs/index.md").read_text(), re.MULTILINE))
    pages = {path.relative_to(ROOT / "docs").with_suffix("").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    assert named == pages - {"index", "README"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_docs_links_elsewhere_are_addresses(page: Path) -> None:
    elsewhere = [urlsplit(target) for target in LINK.findall(page.read_text()) if "://" in target]
    assert not [parts.geturl() for parts in elsewhere if parts.scheme != "https" or "." not in parts.netloc]


@pytest.mark.parametrize(
    ("html", "fault"),
    [
        ('<a href="gone.html">', "a.html: gone.html: is not there"),
        ('<a href="#b">', "a.html: #b: no such anchor"),
        ('<p id="b"></p><a href="#b"><a href="a.html#b"><a href="https://example.org/x">', ""),
        ('<img src="https://example.org/x.png">', "a.html: https://example.org/x.png: is fetched from elsewhere"),
        (
            '<link rel="stylesheet" href="//example.org/x.css">',
            "a.html: //example.org/x.css: is fetched from elsewhere",
        ),
        ('<a href="javascript:void(0)">', "a.html: javascript:void(0): is no address"),
    ],
)
def test_site_check_finds_what_is_wrong(html: str, fault: str) -> None:
    found = list(check_site.faults({"a.html": check_site.Page(html)}, {"a.html"}, {}))
    assert found == ([fault] if fault else [])


def test_site_check_finds_fonts_from_elsewhere() -> None:
    text = '@import "https://example.org/a.css"; p { src: url(b.woff) }'
    assert list(check_site.faults({}, {"s/c.css"}, {"s/c.css": text})) == [
        "s/c.css: https://example.org/a.css: is fetched from elsewhere",
        "s/c.css: b.woff: is not there",
    ]


def starts(page: Path) -> dict[str, str]:
    """By how it begins: what is done about a command of the page."""
    if page == ROOT / "docs/README.md":
        return {}
    run = dict.fromkeys(docs_commands.STEPS.get(page.name, ()), "run by test_package.py")
    return run | {start: reason for (of, start), reason in docs_commands.REASONS.items() if of == page.name}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_docs_blocks_name_their_language(page: Path) -> None:
    assert {block.language for block in docs_commands.blocks(page)} <= docs_commands.LANGUAGES


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_docs_commands_are_run_or_have_a_reason(page: Path) -> None:
    known, shown = starts(page), docs_commands.shown(page)
    assert not [line for line in shown if not line.startswith(tuple(known))], "add to docs_commands.py"
    assert not [start for start in known if not any(line.startswith(start) for line in shown)], "no longer there"


def test_docs_make_targets_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {line.split()[1] for page in PAGES for line in docs_commands.shown(page) if line.startswith("make ")}
    spans = {name for page in PAGES for name in re.findall(r"`make ([a-z-]+)", page.read_text())}
    assert len(named | spans) > 10
    assert named | spans <= targets


def settings_of(page: Path) -> list[tuple[str, str]]:
    program = docs_commands.SETTINGS.get(page.name, "oca")
    return [(program, block.text) for block in docs_commands.blocks(page) if block.language == "toml"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_docs_settings_are_good(page: Path, tmp_path: Path) -> None:
    for program, text in settings_of(page):
        file = tmp_path / "settings.toml"
        file.write_text(docs_commands.NEEDED[program] + text if "[appliance]" not in text else text)
        checked = CliRunner().invoke(APPS[program], ["config", "check", "--file-only", str(file)])
        assert checked.exit_code == 0, (text, checked.output, checked.exception)


def test_docs_settings_check_finds_wrong_key(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text(docs_commands.NEEDED["oca"] + '[routes]\nbird_sokcet = "/run/b"\n')
    checked = CliRunner().invoke(APPS["oca"], ["config", "check", "--file-only", str(tmp_path / "settings.toml")])
    assert checked.exit_code != 0


LOADERS = {
    "bird": ("/usr/sbin/bird", "-p", "-c"),
    "nats": ("nats-server", "-t", "-c"),
    "yaml": ("promtool", "check", "config", "--syntax-only"),
}


@pytest.mark.parametrize("language", LOADERS)
def test_docs_configuration_of_others_is_good(language: str, tmp_path: Path) -> None:
    found = [block for page in PAGES for block in docs_commands.blocks(page) if block.language == language]
    assert found
    for block in found:
        file = tmp_path / "configuration"
        file.write_text(re.sub(r"^tls .*\n", "", block.text, flags=re.MULTILINE))  # its certificates are elsewhere
        path = f"/usr/sbin:{os.environ['PATH']}"
        checked = subprocess.run(
            [*LOADERS[language], str(file)], env={"PATH": path}, capture_output=True, text=True, check=False
        )
        assert checked.returncode == 0, (block, checked.stdout, checked.stderr)
        file.write_text(block.text.replace("{", "{ no such thing", 1).replace(": [", ": ]", 1))
        checked = subprocess.run(
            [*LOADERS[language], str(file)], env={"PATH": path}, capture_output=True, text=True, check=False
        )
        assert checked.returncode != 0, (block, checked)


def test_docs_python_compiles() -> None:
    for page in PAGES:
        for block in docs_commands.blocks(page):
            if block.language == "python":
                compile(block.text, page.name, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
