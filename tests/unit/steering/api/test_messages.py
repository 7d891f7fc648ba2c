from __future__ import annotations

import msgspec
import pytest

from steering.api.messages import BATCH_MAX, BatchAnswer, BatchItem, BatchRequest, Device, PlaybackRequest


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (b'{"title": "a", "device": {"codecs": ["a b"]}}', "$.device.codecs[0]"),
        (b'{"title": "a", "device": {"codecs": [""]}}', "$.device.codecs[0]"),
        (b'{"title": "a", "device": {"height_max": -1}}', "$.device.height_max"),
        (b'{"title": "a", "device": {"video_ranges": ["HDR"]}}', "$.device.video_ranges[0]"),
        (b'{"title": "a", "device": {"protocols": ["rtmp"]}}', "$.device.protocols[0]"),
        (b'{"title": "%s"}' % (b"a" * 64), "$.title"),
    ],
)
def test_playback_request_of_wrong_shape_is_refused(body: bytes, place: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=r"\$") as caught:
        msgspec.json.decode(body, type=PlaybackRequest)
    assert f"`{place}`" in str(caught.value)


def test_playback_request_needs_a_title_alone() -> None:
    found = msgspec.json.decode(b'{"title": "a", "later": 1}', type=PlaybackRequest)
    assert (found.client, found.device) == ("", Device())


@pytest.mark.parametrize("count", [0, BATCH_MAX + 1])
def test_batch_holds_one_to_the_limit(count: int) -> None:
    with pytest.raises(msgspec.ValidationError, match="requests"):
        msgspec.json.decode(b'{"requests": [%s]}' % b",".join([b'{"title":"a"}'] * count), type=BatchRequest)


def test_batch_item_tells_one_of_two() -> None:
    assert msgspec.json.encode(BatchAnswer([BatchItem()])) == b'{"items":[{}]}'
