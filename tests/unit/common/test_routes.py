from __future__ import annotations

import pytest

from oca.common.routes import PathAttributes, end_ases, path_length, route_digest


@pytest.mark.parametrize(
    ("path", "length", "ends"),
    [
        ("", 0, ("", "")),
        ("64500", 1, ("64500", "64500")),
        ("64500 64501 64501", 3, ("64500", "64501")),
        ("64500 {64501 64502}", 2, ("64500", "64502")),
        ("(65001 65002) 64500 64501", 2, ("65001", "64501")),
    ],
)
def test_path_length_counts_as_bgp_does(path: str, length: int, ends: tuple[str, str]) -> None:
    assert path_length(path) == length
    assert end_ases(path) == ends


def test_route_digest_tells_prefix_and_attributes_apart() -> None:
    one, other = PathAttributes(as_path="64500"), PathAttributes(as_path="64500 64501")
    digests = {
        route_digest(attributes)(prefix) for attributes in (one, other) for prefix in ("1.0.0.0/24", "1.0.1.0/24")
    }
    assert len(digests) == 4
    assert route_digest(one)("1.0.0.0/24") == route_digest(PathAttributes(as_path="64500"))("1.0.0.0/24")
