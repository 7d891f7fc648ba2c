"""What exists: titles and their assets as published, durable in the state, in memory as they are stored there.

How a folder becomes a title is publish's business; who holds an asset is the fleet's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

import msgspec
from msgspec import Struct

from oca.common.messages import ObjectDescription
from steering.recent import Recent
from steering.state.store import StateReader, StateStore, StateTransaction

AssetKind = Literal["video", "audio", "text", "manifests"]
TrackType = Literal["AUDIO", "SUBTITLES"]
_GENERATION_KEY = "about/catalogue"


class AssetSummary(Struct, frozen=True, gc=False):
    """An asset without its objects. ``entry`` is the object a player asks for first: its media playlist."""

    asset: str
    kind: AssetKind
    revision: str
    bytes: int
    objects: int
    entry: str
    bitrate_bits_per_s: int
    peak_bits_per_s: int
    modified_at_ns: int


class Variant(Struct, frozen=True, gc=False):
    """One ``EXT-X-STREAM-INF`` as declared, bandwidths in bits per second."""

    asset: str
    bandwidth: int
    average_bandwidth: int
    codecs: str
    width: int
    height: int
    frame_rate: float
    audio: str = ""
    subtitles: str = ""
    video_range: str = ""


class Track(Struct, frozen=True, gc=False):
    """One ``EXT-X-MEDIA`` with a playlist of its own."""

    asset: str
    type: TrackType
    group: str
    name: str
    language: str = ""
    channels: str = ""
    characteristics: str = ""
    default: bool = False
    autoselect: bool = False
    forced: bool = False


class MpdTemplate(Struct, frozen=True, gc=False):
    """An MPD cut where addresses go: ``pieces[0] + slot 0 + pieces[1] + …``.

    A slot's text is an asset (the Representation's own BaseURLs go there, under ``folders[i]``), or empty for the
    place of the MPD's BaseURLs and ContentSteering.
    """

    pieces: list[str]
    slots: list[str]
    folders: list[str]


class Title(Struct, frozen=True, gc=False):
    """One title as published; ``regions`` empty: everywhere. ``origin_url`` empty: the configured origin.

    ``synopsis`` is a line for viewers, or empty.
    """

    title: str
    name: str
    mount: str
    origin_url: str
    regions: list[str]
    released_at_ns: int
    published_at_ns: int
    duration_s: float
    poster: str
    independent_segments: bool
    assets: list[AssetSummary]
    variants: list[Variant]
    tracks: list[Track]
    mpd: MpdTemplate | None = None
    synopsis: str = ""

    def media(self) -> list[AssetSummary]:
        """The assets a player plays: all but the manifests."""
        return [asset for asset in self.assets if asset.kind != "manifests"]

    @staticmethod
    def read(stored: bytes) -> Title:
        """A title from how it is stored."""
        return _title_decoder.decode(stored)


class StoredAsset(Struct, frozen=True):
    """An asset with its objects, in pack order."""

    asset: str
    title: str
    revision: str
    bytes: int
    modified_at_ns: int
    objects: list[ObjectDescription]


_title_decoder = msgspec.msgpack.Decoder(Title)
_asset_decoder = msgspec.msgpack.Decoder(StoredAsset)
_encode = msgspec.msgpack.Encoder().encode


DECODED_KEPT = 8192
"""A title of eight assets takes 2.3 kB as it is stored and 7 kB decoded; decoding takes 12 µs."""


class Titles(Mapping[str, Title]):
    """All titles by their ids, as they are stored; those asked for lately are kept decoded."""

    def __init__(self, stored: Mapping[str, bytes], decoded: Recent[str, tuple[bytes, Title]]) -> None:
        self.stored = stored
        self.mark = object()
        """Tells these from those before and after; who keeps it keeps none of them."""
        self._decoded = decoded

    def __getitem__(self, name: str) -> Title:
        stored = self.stored[name]
        kept = self._decoded.get(name)
        if kept is not None and kept[0] is stored:
            return kept[1]
        title = _title_decoder.decode(stored)
        self._decoded.put(name, (stored, title))
        return title

    def __iter__(self) -> Iterator[str]:
        return iter(self.stored)

    def __len__(self) -> int:
        return len(self.stored)

    def each(self) -> Iterator[Title]:
        """Every title once; none of them is kept for it."""
        return (_title_decoder.decode(stored) for stored in self.stored.values())


class Assets(Mapping[str, AssetSummary]):
    """All assets by their ids, found by way of their titles."""

    def __init__(self, titles: Titles) -> None:
        self._titles = titles

    def __getitem__(self, name: str) -> AssetSummary:
        for asset in self._titles[name.partition("/")[0]].assets:
            if asset.asset == name:
                return asset
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return (asset.asset for title in self._titles.each() for asset in title.assets)

    def __len__(self) -> int:
        return sum(len(title.assets) for title in self._titles.each())


class Catalogue:
    """The titles in memory, so that answers do not read the state for them; ``refresh`` takes up what is new."""

    def __init__(self, state: StateStore) -> None:
        self._state = state
        self._version = -1
        self._generation: bytes | None = b"none read yet"
        self._decoded: Recent[str, tuple[bytes, Title]] = Recent(DECODED_KEPT)
        self._put({})
        self.refresh()

    @property
    def generation(self) -> bytes | None:
        """Another one after each publication that was taken up; it moves after the titles."""
        return self._generation

    def changed(self) -> bool:
        """Whether titles may have been published since they were read: a cheap look."""
        version = self._state.version()
        if version == self._version:
            return False
        if self._state.get(_GENERATION_KEY) == self._generation:
            self._version = version
            return False
        return True

    def refresh(self) -> bool:
        """Read the titles again if they changed, at 2 µs each; whether they had. Answers may be given meanwhile."""
        if not self.changed():
            return False
        version, generation = self._state.version(), self._state.get(_GENERATION_KEY)
        before = self.titles.stored
        titles: dict[str, bytes] = {}
        for name, value in stored_titles(self._state):
            known = before.get(name)
            titles[name] = known if known == value else value  # what is the same stays decoded, and takes no room twice
        self._put(titles)
        self._version, self._generation = version, generation  # only now: what could not be read is read again
        return True

    def _put(self, titles: Mapping[str, bytes]) -> None:
        self.titles = Titles(titles, self._decoded)
        self.assets = Assets(self.titles)

    def title_of(self, asset: str) -> Title | None:
        """The title an asset belongs to."""
        return self.titles.get(asset.partition("/")[0])

    def asset(self, asset: str) -> StoredAsset | None:
        """An asset with its objects, from the state."""
        return read_asset(self._state, asset)

    def asset_of_object(self, path: str) -> str | None:
        """The asset that holds the object at this URL path."""
        found = self._state.get(f"object{path}")
        return found.decode() if found is not None else None


def stored_titles(state: StateReader) -> Iterator[tuple[str, bytes]]:
    """Every title as it is stored, with its id, in their order."""
    return ((key.partition("/")[2], value) for key, value in state.scan("title/"))


def read_titles(state: StateReader) -> list[Title]:
    """All titles, by their ids."""
    return [_title_decoder.decode(value) for _, value in stored_titles(state)]


def read_title(state: StateReader, name: str) -> Title | None:
    """A title, if there is one of this id."""
    found = state.get(f"title/{name}")
    return _title_decoder.decode(found) if found is not None else None


def read_asset(state: StateReader, asset: str) -> StoredAsset | None:
    """An asset with its objects."""
    found = state.get(f"asset/{asset}")
    return _asset_decoder.decode(found) if found is not None else None


def write_title(transaction: StateTransaction, title: Title, assets: list[StoredAsset]) -> list[str]:
    """Put a title in place of what had its id before.

    Returns:
        Object paths that another title holds already; if there are any, the caller must undo the transaction.
    """
    before = read_title(transaction, title.title)
    if before is not None:
        _remove(transaction, before)
    clashes = []
    for asset in assets:
        transaction.put(f"asset/{asset.asset}", _encode(asset))
        for item in asset.objects:
            if transaction.get(f"object{item.path}") is not None:
                clashes.append(item.path)
            transaction.put(f"object{item.path}", asset.asset.encode())
    transaction.put(f"title/{title.title}", _encode(title))
    _move_on(transaction)
    return clashes


def remove_title(transaction: StateTransaction, title: Title) -> None:
    """Take a title out with its assets and their paths, as the transaction has it."""
    _remove(transaction, title)
    _move_on(transaction)


def _remove(transaction: StateTransaction, title: Title) -> None:
    for summary in title.assets:
        stored = read_asset(transaction, summary.asset)
        for item in stored.objects if stored is not None else ():
            transaction.delete(f"object{item.path}")
        transaction.delete(f"asset/{summary.asset}")
    transaction.delete(f"title/{title.title}")


def _move_on(transaction: StateTransaction) -> None:
    """Have services see that the titles are others."""
    generation = int(transaction.get(_GENERATION_KEY) or b"0")
    transaction.put(_GENERATION_KEY, str(generation + 1).encode())
