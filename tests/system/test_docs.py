"""The pages: links lead somewhere, commands are real, and settings, metrics and alerts they name exist."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer

import fill.cli
import oca.cli
import steering.cli

pytestmark = pytest.mark.system

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    *sorted((ROOT / "docs").glob("*.md")),
    *(ROOT / name for name in ("README.md", "SECURITY.md", "CONTRIBUTING.md")),
]
LINK = re.compile(r"\]\(([^)\s]+)\)")
PROGRAMS = {
    "oca": typer.main.get_command(oca.cli.app),
    "oca-fill": typer.main.get_command(fill.cli.app),
    "oca-steering": typer.main.get_command(steering.cli.app),
}


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
    assert set((ROOT / "docs").glob("*.md")) <= seen
