"""Proves a built site: links and anchors lead somewhere in it, and no page fetches anything from elsewhere.

Run by ``make docs`` as ``python docs/check_site.py FOLDER``. Links to other sites are only looked at, never followed.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from pathlib import Path
from posixpath import normpath
from urllib.parse import unquote, urlsplit

_FETCHED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href", "object": "data"}
"""Elements that a browser fetches by itself, and the attribute that says what."""
_STYLE_URL = re.compile(r"""url\(\s*["']?([^"')]+)|@import\s+["']([^"']+)""")


class Page(HTMLParser):
    """What one page names: ``anchors`` in itself, ``links`` that a reader may follow, ``fetched`` what it loads."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: set[str] = set()
        self.fetched: set[str] = set()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take in one element."""
        told = {name: value or "" for name, value in attrs}
        self.anchors |= {told[name] for name in ("id", "name") if told.get(name)}
        if tag == "a" and told.get("href"):
            self.links.add(told["href"])
        elif told.get(_FETCHED.get(tag, "")) and "canonical" not in told.get("rel", ""):
            self.fetched.add(told[_FETCHED[tag]])


def faults(pages: Mapping[str, Page], files: set[str], styles: Mapping[str, str]) -> Iterator[str]:
    """What is wrong, a line each.

    Args:
        pages: Path in the site → page.
        files: Every path in the site.
        styles: Path → text of each style sheet.
    """
    for path, page in pages.items():
        for target in sorted(page.fetched | page.links):
            fault = _fault(path, target, pages, files, followed=target not in page.fetched)
            if fault:
                yield f"{path}: {target}: {fault}"
    for path, text in styles.items():
        for first, second in _STYLE_URL.findall(text):
            if fault := _fault(path, first or second, pages, files, followed=False):
                yield f"{path}: {first or second}: {fault}"


def _fault(path: str, target: str, pages: Mapping[str, Page], files: set[str], *, followed: bool) -> str:
    parts = urlsplit(target)
    if parts.scheme == "data":
        return ""
    if parts.scheme or parts.netloc:
        if not followed:
            return "is fetched from elsewhere"
        return "" if parts.scheme in ("https", "http", "mailto") and (parts.netloc or parts.path) else "is no address"
    to = normpath(f"{path}/../{unquote(parts.path)}") if parts.path else path
    if to not in files:
        return "is not there"
    fragment = unquote(parts.fragment)
    return "no such anchor" if fragment and to in pages and fragment not in pages[to].anchors else ""


def main(arguments: list[str]) -> int:
    """Check the site in the folder that is named."""
    folder = Path(arguments[0])
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    pages = {path: Page((folder / path).read_text()) for path in sorted(files) if path.endswith(".html")}
    styles = {path: (folder / path).read_text() for path in sorted(files) if path.endswith(".css")}
    found = list(faults(pages, files, styles))
    sys.stdout.writelines(f"{line}\n" for line in found)
    sys.stdout.write(f"{len(pages)} pages in {folder}, {sum(len(page.links) for page in pages.values())} links\n")
    return 1 if found or not pages else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
