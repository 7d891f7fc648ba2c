"""Turns a packaged folder into a title of the catalogue: digests every file, splits it into assets, writes it whole."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from oca.common.digest import hasher, revision_of
from oca.common.media_types import media_type_of
from oca.common.messages import AssetId, BaseUrl, Name, ObjectDescription, UrlPath
from steering.state.store import StateStore
from steering.titles.catalogue import AssetKind, AssetSummary, StoredAsset, Title, write_title
from steering.titles.packaged import Package, PackagedAsset, read_package
from steering.titles.packaged_dash import read_mpd
from steering.titles.packaged_variants import INTEGER_MAX
from steering.titles.unservable import UnservableError
from steering.trust.audit import append
from steering.trust.local_actor import local_actor, user_name

NAME_CHARACTERS_MAX = 200
SYNOPSIS_CHARACTERS_MAX = 1000
_CHUNK_BYTES = 4 * 2**20
_POSTERS = ("poster.jpg", "poster.jpeg", "poster.png", "poster.webp")


@dataclass(frozen=True, slots=True)
class Publication:
    """What the publisher says about a title."""

    title: str
    name: str
    mount: str
    origin_url: str
    regions: tuple[str, ...]
    released_at_ns: int
    published_at_ns: int
    synopsis: str = ""


def publish(
    folder: Path, publication: Publication, state: StateStore, *, progress: Callable[[int, int], None]
) -> tuple[Title, Package]:
    """Read ``folder``, digest it and put it into the catalogue in place of the title's last version.

    Args:
        folder: HLS and DASH over CMAF segments, as a packager wrote it.
        publication: What it is called, and who may see it when.
        state: Where the catalogue lives; the service may have it open.
        progress: Called with bytes done and bytes in all.

    Raises:
        UnservableError: Something in the folder cannot be read or served; nothing was changed.
    """
    _check(publication)
    try:
        package, title, stored = _read(folder, publication, progress)
    except OSError as error:
        raise UnservableError(
            f"{error.filename or folder}: cannot be read: {error.strerror or error}",
            remedy=f"let the user {user_name(os.geteuid())} read the folder, on a disk that is well",
        ) from None
    with state.write() as transaction:
        clashes = write_title(transaction, title, stored)
        if clashes:
            raise UnservableError(
                f"{clashes[0]}: another title already serves this path", remedy="publish under another --mount"
            )
        append(transaction, local_actor(), "publish", title.title, now_ns=publication.published_at_ns)
    return title, package


def _read(
    folder: Path, publication: Publication, progress: Callable[[int, int], None]
) -> tuple[Package, Title, list[StoredAsset]]:
    package = read_package(folder)
    total = sum((folder / file).stat().st_size for file in (*_media_files(package), *package.others))
    done = 0

    def advance(count: int) -> None:
        nonlocal done
        done += count
        progress(done, total)

    stored, summaries = [], []
    for asset in package.assets:
        manifest, summary = _rendition(package, asset, publication, advance)
        stored.append(manifest)
        summaries.append(summary)
    manifests = _stored(package, "manifests", "manifests", package.others, publication, advance=advance)
    stored.append(manifests)
    summaries.append(_summary(manifests, "manifests", 0, 0))
    return package, _title(package, publication, summaries), stored


def _check(publication: Publication) -> None:
    for value, kind, option, wanted in (
        (publication.title, Name, "--title", "lower-case letters, digits and hyphens"),
        (publication.mount, UrlPath, "--mount", "a path like /films/one, of letters, digits, '.', '_' and '-'"),
        (publication.origin_url or "http://none", BaseUrl, "--origin-url", "an address like http://192.0.2.1:8080"),
    ):
        try:
            msgspec.convert(value, kind)
        except msgspec.ValidationError:
            raise UnservableError(f"{option} {value!r} cannot be used", remedy=f"give {wanted}") from None
    for text, option, limit in (
        (publication.name, "--name", NAME_CHARACTERS_MAX),
        (publication.synopsis, "--synopsis", SYNOPSIS_CHARACTERS_MAX),
    ):
        if len(text) > limit or not text.isprintable():
            raise UnservableError(
                f"{option} of {len(text)} characters cannot be shown", remedy=f"give one line of at most {limit}"
            )
    for region in publication.regions:
        if not re.fullmatch(r"[A-Z]{2}", region):
            raise UnservableError(f"--region {region!r} is no country code", remedy="use ISO 3166 codes, like DE")


def _media_files(package: Package) -> list[str]:
    return [file for asset in package.assets for file in asset.files]


def _rendition(
    package: Package, asset: PackagedAsset, publication: Publication, advance: Callable[[int], None]
) -> tuple[StoredAsset, AssetSummary]:
    stored = _stored(package, asset.label, asset.kind, asset.files, publication, advance=advance)
    sizes = dict(zip(asset.files, (item.bytes for item in stored.objects), strict=True))
    spans = [(segment.bytes or sizes[segment.file], segment.duration_s) for segment in asset.segments]
    longest_s = max(duration_s for _, duration_s in spans)
    # RFC 8216bis §4.4.6.2: the peak is taken over segments of about the target duration, not over a short last one.
    peak = max(size * 8 / duration_s for size, duration_s in spans if duration_s >= longest_s / 2)
    average = sum(size for size, _ in spans) * 8 / asset.duration_s
    if not max(peak, average) <= INTEGER_MAX:
        raise UnservableError(
            f"{asset.playlist}: {peak:.3g} bit/s at its peak, by its EXTINF and the sizes of its files",
            remedy="package it again: the durations cannot be",
        )
    return stored, _summary(stored, asset.kind, round(average), round(peak))


def _stored(
    package: Package,
    label: str,
    kind: AssetKind,
    files: Sequence[str],
    publication: Publication,
    *,
    advance: Callable[[int], None],
) -> StoredAsset:
    name = f"{publication.title}/{label}"
    try:
        msgspec.convert(name, AssetId)
    except msgspec.ValidationError:
        raise UnservableError(f"{name!r} is no asset id", remedy="shorten the track's name or language") from None
    objects, modified_at_ns = [], 0
    for file in files:
        item, changed_at_ns = _digest(package.folder / file, f"{publication.mount}/{file}", advance)
        objects.append(item)
        modified_at_ns = max(modified_at_ns, changed_at_ns)
    return StoredAsset(
        asset=name,
        title=publication.title,
        revision=revision_of([(item.path, item.digest) for item in objects]),
        bytes=sum(item.bytes for item in objects),
        modified_at_ns=modified_at_ns,
        objects=objects,
    )


def _digest(source: Path, path: str, advance: Callable[[int], None]) -> tuple[ObjectDescription, int]:
    try:
        msgspec.convert(path, UrlPath)
    except msgspec.ValidationError:
        raise UnservableError(f"{source}: its path {path!r} is too long or unsafe", remedy="shorten it") from None
    state = hasher()
    count = 0
    before = source.stat()
    with source.open("rb") as opened:
        while chunk := opened.read(_CHUNK_BYTES):
            state.update(chunk)
            count += len(chunk)
            advance(len(chunk))
    after = source.stat()
    if count != after.st_size or before.st_mtime_ns != after.st_mtime_ns:
        raise UnservableError(f"{source}: changed while it was read", remedy="publish when the packager is done")
    described = ObjectDescription(path=path, bytes=count, digest=state.hexdigest(), media_type=media_type_of(path))
    return described, after.st_mtime_ns


def _summary(stored: StoredAsset, kind: AssetKind, average: int, peak: int) -> AssetSummary:
    return AssetSummary(
        asset=stored.asset,
        kind=kind,
        revision=stored.revision,
        bytes=stored.bytes,
        objects=len(stored.objects),
        entry=stored.objects[0].path,
        bitrate_bits_per_s=average,
        peak_bits_per_s=peak,
        modified_at_ns=stored.modified_at_ns,
    )


def _title(package: Package, publication: Publication, summaries: list[AssetSummary]) -> Title:
    prefix = publication.title + "/"
    owners = {file: prefix + asset.label for asset in package.assets for file in asset.files}
    mpd = read_mpd(package.folder, package.mpd, owners, publication.mount) if package.mpd else None
    poster = next((f"{publication.mount}/{name}" for name in _POSTERS if name in package.others), "")
    return Title(
        title=publication.title,
        name=publication.name,
        mount=publication.mount,
        origin_url=publication.origin_url.rstrip("/"),
        regions=sorted(set(publication.regions)),
        released_at_ns=publication.released_at_ns,
        published_at_ns=publication.published_at_ns,
        duration_s=max(asset.duration_s for asset in package.assets),
        poster=poster,
        independent_segments=package.independent_segments,
        assets=summaries,
        variants=[msgspec.structs.replace(variant, asset=prefix + variant.asset) for variant in package.variants],
        tracks=[msgspec.structs.replace(track, asset=prefix + track.asset) for track in package.tracks],
        mpd=mpd,
        synopsis=publication.synopsis,
    )
