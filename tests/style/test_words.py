"""What must not stand in the tree: unfinished work, and traces of the machine something was written on."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.style.conftest import Tree

UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK|NotImplementedError)\b")
HOME_PATH = re.compile(r"(?<![\w.$~}/-])/(?:work|root|home/\w+|Users/\w+|mnt/\w+)/")
HOST = re.compile(r"https?://(?:[\w.%-]+:[\w.%-]*@)?(\[[^\]\s]*\]|[\w.-]+)")

KNOWN_HOSTS = re.compile(
    r"""(?:
    localhost | [\w.-]+\.(?:example|test|invalid|localhost) | (?:[\w.-]+\.)?example\.(?:com|net|org)
    | (?:127|10|192\.0\.2|198\.51\.100|203\.0\.113|0\.0\.0\.0)[\d.]* | \[(?:[0-9a-fA-F:]*|{host})\]
    | www\.rfc-editor\.org | datatracker\.ietf\.org | www\.w3\.org | schemas?\.[\w.-]+ | dashif\.org
    | www\.apache\.org | keepachangelog\.com | semver\.org | github\.com
    | registry\.npmjs\.org | files\.pythonhosted\.org
    | developer\.mozilla\.org | docs\.python\.org | pre-commit\.com | [a-z]+
    )\Z""",
    re.VERBOSE,
)
"""Documentation hosts (RFC 2606, 5737), public references, and bare names as tests use them."""

LOCKS = ("package-lock.json",)
"""Written by a package manager, quoting what its packages say of themselves."""


def unfinished(text: str) -> list[str]:
    return UNFINISHED.findall(text)


def strange_hosts(text: str) -> list[str]:
    return [host for host in HOST.findall(text) if not KNOWN_HOSTS.match(host.lower().rstrip("."))]


def _texts(tree: Tree) -> dict[Path, str]:
    here = Path("tests/style/test_words.py")
    return {path: (tree.root / path).read_text(errors="replace") for path in tree.texts() if path != here}


def test_tree_holds_no_unfinished_work(tree: Tree) -> None:
    sources = {
        path: text for path, text in _texts(tree).items() if path.suffix in (".py", ".js", ".html", ".sh", ".md")
    }
    found = {str(path): words for path, text in sources.items() if (words := unfinished(text))}
    assert not found, found


def test_tree_holds_no_machine_paths(tree: Tree) -> None:
    found = {str(path): hits for path, text in _texts(tree).items() if (hits := HOME_PATH.findall(text))}
    assert not found, found


def test_tree_names_no_strange_hosts(tree: Tree) -> None:
    texts = {path: text for path, text in _texts(tree).items() if path.name not in LOCKS}
    found = {str(path): hosts for path, text in texts.items() if (hosts := strange_hosts(text))}
    assert not found, found


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("https://mirror.corp.internal/simple", "mirror.corp.internal"),
        ("http://u:p@proxy.corp:3128/", "proxy.corp"),
    ],
)
def test_words_refuse_strange_host(text: str, host: str) -> None:
    assert strange_hosts(text) == [host]


@pytest.mark.parametrize("text", ["see /home/someone/x", "cd /root/project", "/Users/me/src"])
def test_words_refuse_machine_path(text: str) -> None:
    assert HOME_PATH.search(text)


def test_words_refuse_unfinished_work() -> None:
    assert unfinished("# TODO: later")
