"""How the operator's guide is built as a site of its own (``make docs``): Sphinx, MyST for Markdown, Furo as theme.

Nothing that is built asks for anything elsewhere: fonts are the reader's own, and the search runs in the browser over
an index beside the pages, also from a folder without a server.
"""

from __future__ import annotations

from typing import Any

from pygments.lexers import TextLexer

from oca import __version__

project = "Open Appliance"
version = release = __version__
extensions = ["myst_parser"]
root_doc = "index"
exclude_patterns = ["README.md"]  # index.md shows it
nitpicky = True
myst_heading_anchors = 4
"""Headings are named as code forges name them, so that a link leads to the same place in both."""

html_theme = "furo"
html_title = f"Open Appliance {__version__}"
html_static_path = ["site"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_search_summary = False  # would fetch pages, which a folder without a server does not give
highlight_language = "text"


def setup(app: Any) -> None:
    """Name the languages that no highlighter knows."""
    for name in ("bird", "nats"):
        app.add_lexer(name, TextLexer)
