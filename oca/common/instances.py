"""The instances of steering that a box may speak to: one is in use until it is away, then the next is tried. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence


class Instances:
    """Base URLs without a trailing slash, the one in use first."""

    def __init__(self, urls: Sequence[str]) -> None:
        self._urls = [url.rstrip("/") for url in urls]

    @property
    def url(self) -> str:
        """The one in use."""
        return self._urls[0]

    def each(self) -> Iterator[str]:
        """Every one, the one in use first. Where the caller leaves off, there it begins the next time."""
        for _ in range(len(self._urls)):
            yield self._urls[0]
            self._urls.append(self._urls.pop(0))
