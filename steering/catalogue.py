"""What exists: titles and their assets as published, durable in the state, decoded once and kept.

How a folder becomes a title is publish's business; who holds an asset is the fleet's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec
from msgspec import Struct

from oca.common.messages import ObjectDescription
from steering.state.store import StateReader, StateStore, StateTransaction

AssetKind = Literal["video", "audio", "text", "manifests"]
TrackType = Literal["AUDIO", "SUBTITLES"]
_GENERATION_KEY = "about/catalogue"


class AssetSummary(Struct, frozen=True):
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


class Variant(Struct, frozen=True):
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


class Track(Struct, frozen=True):
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


class MpdTemplate(Struct, frozen=True):
    """An MPD cut where addresses go: ``pieces[0] + slot 0 + pieces[1] + …``.

    A slot's text is an asset (the Representation's own BaseURLs go there, under ``folders[i]``), or empty for the
    place of the MPD's BaseURLs and ContentSteering.
    """

    pieces: list[str]
    slots: list[str]
    folders: list[str]


class Title(Struct, frozen=True):
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


class Catalogue:
    """The titles in memory. ``refresh`` takes up what ``oca-steering publish`` wrote meanwhile."""

    def __init__(self, state: StateStore) -> None:
        self._state = state
        self._version = -1
        self._generation: bytes | None = b"none read yet"
        self.titles: Mapping[str, Title] = {}
        self.assets: Mapping[str, AssetSummary] = {}
        self.refresh()

    def refresh(self) -> bool:
        """Read the titles again if they changed; whether they had."""
        version = self._state.version()
        if version == self._version:
            return False
        generation = self._state.get(_GENERATION_KEY)
        if generation == self._generation:
            self._version = version
            return False
        titles = {title.title: title for title in read_titles(self._state)}
        self._version, self._generation = version, generation  # only now: what could not be read is read again
        self.titles = titles
        self.assets = {asset.asset: asset for title in titles.values() for asset in title.assets}
        return True

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


def read_titles(state: StateReader) -> list[Title]:
    """All titles, by their ids."""
    return [_title_decoder.decode(value) for _, value in state.scan("title/")]


def read_asset(state: StateReader, asset: str) -> StoredAsset | None:
    """An asset with its objects."""
    found = state.get(f"asset/{asset}")
    return _asset_decoder.decode(found) if found is not None else None


def write_title(transaction: StateTransaction, title: Title, assets: list[StoredAsset]) -> list[str]:
    """Put a title in place of what had its id before.

    Returns:
        Object paths that another title holds already; if there are any, the caller must undo the transaction.
    """
    _remove(transaction, title.title)
    clashes = []
    for asset in assets:
        transaction.put(f"asset/{asset.asset}", _encode(asset))
        for item in asset.objects:
            if transaction.get(f"object{item.path}") is not None:
                clashes.append(item.path)
            transaction.put(f"object{item.path}", asset.asset.encode())
    transaction.put(f"title/{title.title}", _encode(title))
    generation = int(transaction.get(_GENERATION_KEY) or b"0")
    transaction.put(_GENERATION_KEY, str(generation + 1).encode())
    return clashes


def _remove(transaction: StateTransaction, title: str) -> None:
    found = transaction.get(f"title/{title}")
    if found is None:
        return
    for summary in _title_decoder.decode(found).assets:
        stored = read_asset(transaction, summary.asset)
        for item in stored.objects if stored is not None else ():
            transaction.delete(f"object{item.path}")
        transaction.delete(f"asset/{summary.asset}")
    transaction.delete(f"title/{title}")
