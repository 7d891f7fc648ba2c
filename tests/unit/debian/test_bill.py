from __future__ import annotations

import json

from debian.bill import Part, bill

LMDB = Part("lmdb", "3.0.1", "pypi", "OLDAP-2.8", "ab" * 32)
HLS = Part("hls.js", "1.7.0", "npm", "Apache-2.0")


def test_bill_names_each_part_with_origin_licence_and_digest() -> None:
    told = json.loads(bill("0.1.0-1", [LMDB, HLS]))
    assert (told["bomFormat"], told["specVersion"]) == ("CycloneDX", "1.5")
    assert told["metadata"]["component"]["version"] == "0.1.0-1"
    hls, lmdb = told["components"]
    assert (hls["purl"], lmdb["purl"]) == ("pkg:npm/hls.js@1.7.0", "pkg:pypi/lmdb@3.0.1")
    assert lmdb["hashes"] == [{"alg": "SHA-256", "content": "ab" * 32}]
    assert lmdb["licenses"] == [{"license": {"name": "OLDAP-2.8"}}]
    assert "hashes" not in hls


def test_bill_is_same_in_any_order() -> None:
    assert bill("1", [LMDB, HLS]) == bill("1", [HLS, LMDB])
