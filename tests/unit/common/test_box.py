import msgspec
import pytest

from oca.common.box import Box


@pytest.mark.parametrize("url", ["", "http://127.0.0.1:8090", "https://steer.example.net/base"])
def test_box_takes_url_of_steering(url: str) -> None:
    box = msgspec.convert({"appliance": {"id": "a", "site": "s"}, "steering": {"url": url}}, Box)
    assert box.steering.url == url


@pytest.mark.parametrize("url", ["steer.example.net", "ftp://x", "http://", "http://x y", "http://x\n"])
def test_box_refuses_url_that_is_none(url: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"appliance": {"id": "a", "site": "s"}, "steering": {"url": url}}, Box)
