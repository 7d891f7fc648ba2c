"""Sites' lists of prefixes in files, for networks without BGP: read at the start, and again whenever a file changes."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path

from oca.common.errors import ConfigError
from oca.common.log import get_logger
from oca.common.prefix import read_prefix
from oca.common.threads import in_thread
from steering.routes.reach import Reach
from steering.settings import Site
from steering.settings_check import prefix_fault

FILE_BYTES_MAX = 64 * 2**20
_log = get_logger("prefixes")


class PrefixFiles:
    """The files of all sites that have one, in step with the reach."""

    def __init__(self, sites: Iterable[Site], reach: Reach) -> None:
        """Read them.

        Raises:
            ConfigError: One cannot be used; file, line and what to do are named.
        """
        self._sites = [site for site in sites if site.prefix_file]
        self._reach = reach
        self._seen: dict[str, tuple[int, int]] = {}
        for site in self._sites:
            self._seen[site.id] = _stamp(site.prefix_file)
            self._take(site, read_prefix_file(site.prefix_file))

    async def look(self) -> None:
        """Read again what has changed; what cannot be read leaves the list as it was.

        Raises:
            ConfigError: One cannot be used.
        """
        for site in self._sites:
            stamp = await in_thread(partial(_stamp, site.prefix_file), name="prefix files")
            if stamp == self._seen[site.id]:
                continue
            texts = await in_thread(partial(read_prefix_file, site.prefix_file), name="prefix files")
            self._seen[site.id] = stamp
            self._take(site, texts)
            _log.info("prefixes read again", site=site.id, file=site.prefix_file, prefixes=len(texts))

    def _take(self, site: Site, texts: list[str]) -> None:
        self._reach.put_list(site.id, [*site.prefixes, *texts])


def read_prefix_file(path: str) -> list[str]:
    """The prefixes in a file, one a line; ``#`` begins a comment.

    Raises:
        ConfigError: It cannot be read, or a line is no prefix.
    """
    try:
        with Path(path).open("rb") as file:
            raw = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise ConfigError(
            f"prefix_file {path}: cannot be read: {error.strerror}", remedy="check the path and its permissions"
        ) from None
    if len(raw) > FILE_BYTES_MAX:
        raise ConfigError(
            f"prefix_file {path}: larger than {FILE_BYTES_MAX} bytes", remedy="list fewer, wider prefixes"
        )
    texts = []
    for number, line in enumerate(raw.decode("utf-8", "replace").splitlines(), start=1):
        text = line.partition("#")[0].strip()
        if not text:
            continue
        try:
            read_prefix(text)
        except ValueError:
            fault, _, remedy = prefix_fault(text).partition("; ")
            raise ConfigError(f"prefix_file {path}, line {number}: {text[:60]!r} {fault}", remedy=remedy) from None
        texts.append(text)
    return texts


def _stamp(path: str) -> tuple[int, int]:
    """What changes whenever the file does."""
    try:
        found = Path(path).stat()
    except OSError as error:
        raise ConfigError(
            f"prefix_file {path}: cannot be read: {error.strerror}", remedy="check the path and its permissions"
        ) from None
    return found.st_mtime_ns, found.st_size
