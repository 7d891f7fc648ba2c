"""Reads the MPD beside the HLS playlists and cuts it where a viewer's addresses go.

CMAF means one set of segments for both, so each Representation must use the files of exactly one rendition.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Comment, Element, ParseError, register_namespace, tostring

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import iterparse

from oca.common.messages import OBJECTS_MAX
from steering.titles.catalogue import MpdTemplate
from steering.titles.packaged import PLAYLIST_BYTES_MAX, resolve
from steering.titles.unservable import UnservableError

_DASH = "urn:mpeg:dash:schema:mpd:2011"
_SLOT = re.compile(r"<!--oca-slot-(\d+)-->")
_DURATION = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?")
_IDENTIFIER = re.compile(r"\$(?:(RepresentationID|Number|Time|Bandwidth)(?:%0(\d{1,2})d)?)?\$")


def read_mpd(folder: Path, file: str, assets: Mapping[str, str], mount: str) -> MpdTemplate:
    """Cut the MPD ``file`` into a template.

    Args:
        folder: The packaged folder.
        file: The MPD's path relative to it.
        assets: Every file of a rendition → its asset.
        mount: URL path under which the folder's files are served.

    Raises:
        UnservableError: Naming the MPD, or the segment it wants in vain.
    """
    try:
        return _read(folder, file, assets, mount)
    except (ValueError, OverflowError) as error:
        raise UnservableError(f"{file}: a figure in it is wrong: {error}", remedy="package it again") from None
    except RecursionError:
        raise UnservableError(f"{file}: nested too deep", remedy="package it again") from None


def _read(folder: Path, file: str, assets: Mapping[str, str], mount: str) -> MpdTemplate:
    root = _parse(folder / file, file)
    if root.tag != _tag("MPD"):
        raise UnservableError(f"{file}: not an MPD", remedy="package it again")
    if root.get("type", "static") != "static":
        raise UnservableError(f"{file}: type={root.get('type')!r}", remedy="package it to its end; live is not served")
    base = _take_base(root, file, file)
    for element in [*root.iter()]:
        for child in [*element]:
            if child.tag in (_tag("ContentSteering"), _tag("Location"), _tag("PatchLocation")):
                element.remove(child)
    slots, folders = [""], [_folder(mount, base)]
    after = [index for index, child in enumerate(root) if child.tag == _tag("ProgramInformation")]
    root.insert(after[-1] + 1 if after else 0, _marker(0))
    period_s = _seconds(root.get("mediaPresentationDuration", ""))
    for period in root.iter(_tag("Period")):
        length_s = _seconds(period.get("duration", "")) or period_s
        period_base = _keep_base(period, file, base)
        for adaptation in period.iter(_tag("AdaptationSet")):
            adaptation_base = _keep_base(adaptation, file, period_base)
            for representation in adaptation.iter(_tag("Representation")):
                own = representation.find(_tag("BaseURL")) is not None
                inner = _take_base(representation, file, adaptation_base) if own else adaptation_base
                levels = (period, adaptation, representation)
                slots.append(_asset_of(levels, file, inner, length_s, assets))
                # A Representation with a BaseURL of its own is always given absolute ones, marked by a leading "!".
                folders.append(("!" if own else "") + _folder(mount, inner))
                representation.insert(0, _marker(len(slots) - 1))
    if len(slots) == 1:
        raise UnservableError(f"{file}: has no Representation", remedy="package it again")
    text = '<?xml version="1.0" encoding="utf-8"?>\n' + tostring(root, encoding="unicode") + "\n"
    return MpdTemplate(pieces=_SLOT.split(text)[::2], slots=slots, folders=folders)


def _parse(path: Path, file: str) -> Element:
    if path.stat().st_size > PLAYLIST_BYTES_MAX:
        raise UnservableError(f"{file}: larger than {PLAYLIST_BYTES_MAX} bytes", remedy="this is not an MPD")
    root: Element | None = None
    try:
        for event, item in iterparse(io.BytesIO(path.read_bytes()), events=("start-ns", "start")):
            if event == "start-ns":
                # Players look for names such as cenc:pssh by their prefix, so prefixes are kept.
                if not re.fullmatch(r"ns\d+", item[0]):
                    register_namespace(*item)
            elif root is None:
                root = item
    except (ParseError, DefusedXmlException, ValueError) as error:
        raise UnservableError(f"{file}: not sound XML: {error}", remedy="package it again") from None
    if root is None:
        raise UnservableError(f"{file}: empty", remedy="package it again")
    return root


def _tag(name: str) -> str:
    return f"{{{_DASH}}}{name}"


def _marker(number: int) -> Any:
    return Comment(f"oca-slot-{number}")


def _folder(mount: str, base: str) -> str:
    """URL path of ``base`` (a path relative to the folder; its file name does not count) with a closing slash."""
    return f"{mount}/{base}" if not base.endswith(".mpd") else f"{mount}/{base}".rpartition("/")[0] + "/"


def _keep_base(element: Element, file: str, base: str) -> str:
    found = element.findall(_tag("BaseURL"))
    if not found:
        return base
    if len(found) > 1:
        raise UnservableError(f"{file}: several BaseURL in one place", remedy="package with one, relative")
    uri = (found[0].text or "").strip()
    joined = resolve(_directory(base), uri)
    if joined is None:
        raise UnservableError(f"{file}: BaseURL {uri!r} leads outside the folder", remedy="package it relative")
    return joined + "/" if uri.endswith("/") and joined else joined


def _take_base(element: Element, file: str, base: str) -> str:
    joined = _keep_base(element, file, base)
    for child in element.findall(_tag("BaseURL")):
        element.remove(child)
    return joined


def _asset_of(
    levels: tuple[Element, Element, Element], file: str, base: str, length_s: float, assets: Mapping[str, str]
) -> str:
    name = levels[2].get("id", "")
    owners: set[str] = set()
    for uri in _segments(levels, length_s):
        path = resolve(_directory(base), uri) if uri else base
        owner = assets.get(path or "")
        if owner is None:
            raise UnservableError(
                f"{file}: Representation {name!r} wants {uri or base}, which no HLS playlist names",
                remedy="package HLS and DASH over the same segments",
            )
        owners.add(owner)
    if len(owners) != 1:
        what = f"mixes {' and '.join(sorted(owners))}" if owners else "names no segment"
        raise UnservableError(f"{file}: Representation {name!r} {what}", remedy="package one rendition each")
    return owners.pop()


def _directory(base: str) -> str:
    """A base as ``resolve`` takes it: the last step is a file name and does not count."""
    return base + "x" if base.endswith("/") else base


def _segments(levels: tuple[Element, Element, Element], length_s: float) -> Iterator[str]:
    """Every URI a Representation names; an empty one means its base itself."""
    templates = [found for level in levels if (found := level.find(_tag("SegmentTemplate"))) is not None]
    lists = [found for level in levels if (found := level.find(_tag("SegmentList"))) is not None]
    if templates:
        yield from _templated(templates, levels[2], length_s)
    elif lists:
        for element in lists[-1].iter():
            uri = element.get("media") or element.get("sourceURL")
            if uri:
                yield uri
    else:
        yield ""


def _templated(templates: list[Element], representation: Element, length_s: float) -> Iterator[str]:
    attributes = {key: value for template in templates for key, value in template.attrib.items()}
    values = {"RepresentationID": representation.get("id", ""), "Bandwidth": representation.get("bandwidth", "0")}
    if initialization := attributes.get("initialization"):
        yield _expand(initialization, values)
    media = attributes.get("media", "")
    try:
        number = int(attributes.get("startNumber", "1"))
        timescale = int(attributes.get("timescale", "1"))
        timelines = [found for template in templates if (found := template.find(_tag("SegmentTimeline"))) is not None]
        if timelines:
            times = _timeline(timelines[-1], length_s * timescale)
        else:
            step = int(attributes.get("duration", "0"))
            # Rounding may promise one segment more than there is; the last is not insisted on.
            count = math.ceil(length_s * timescale / step - 1e-6) if step > 0 else 0
            times = (index * step for index in range(max(1, count - 1) if count else 0))
        for index, time in enumerate(times):
            if index >= OBJECTS_MAX:
                raise UnservableError(f"an MPD names more than {OBJECTS_MAX} segments", remedy="use longer segments")
            yield _expand(media, {**values, "Number": str(number + index), "Time": str(time)})
    except ValueError as error:
        raise UnservableError(f"a SegmentTemplate in the MPD is wrong: {error}", remedy="package it again") from None


def _timeline(timeline: Element, end: float) -> Iterator[int]:
    time = 0
    for run in timeline:
        time = int(run.get("t", time))
        step = int(run.get("d", "0"))
        repeats = int(run.get("r", "0"))
        if step <= 0:
            raise ValueError("S@d is not positive")
        if repeats < 0:
            repeats = max(0, math.ceil((end - time) / step) - 1)
        for _ in range(repeats + 1):
            yield time
            time += step


def _expand(template: str, values: Mapping[str, str]) -> str:
    def put(found: re.Match[str]) -> str:
        if found[1] is None:
            return "$"
        value = values.get(found[1], "")
        return value.zfill(int(found[2])) if found[2] else value

    return _IDENTIFIER.sub(put, template)


def _seconds(text: str) -> float:
    found = _DURATION.fullmatch(text)
    if not found:
        return 0.0
    days, hours, minutes, seconds = (float(part or 0) for part in found.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds
