import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oca.common.uri_container import (
    PATTERN_BYTES_MAX,
    URI_BYTES_MAX,
    ContainerError,
    hash_container,
    normalised,
    prefix_container,
    read_container,
)

ORIGIN = b"http://cdni.example"
SEGMENTS = r"regex:[^:]*\://[^/]*/folder/content/quality_[^/]*/segment.{3}\.mp4(\?.*)?"
"""The example of RFC 9246 §2.1.15.2."""


@pytest.mark.parametrize(
    ("claim", "path", "query", "covered"),
    [
        # RFC 9246 appendix A: the hash of http://cdni.example/foo/bar, and its patterns.
        ("hash:sha-256;2tderfWPa86Ku7YnzW51YUp7dGUjBS_3SW3ELx4hmWY", "/foo/bar", "", True),
        ("hash:sha-256;2tderfWPa86Ku7YnzW51YUp7dGUjBS_3SW3ELx4hmWY", "/foo/bar", "x", False),
        ("hash:sha-256;2tderfWPa86Ku7YnzW51YUp7dGUjBS_3SW3ELx4hmWY", "/foo/baz", "", False),
        (hash_container("/foo/bar?a=1"), "/foo/bar", "a=1", True),
        (r"regex:http://cdni\.example/foo/bar/[0-9]{3}\.png", "/foo/bar/123.png", "", True),
        (r"regex:http://cdni\.example/foo/bar/[0-9]{3}\.png", "/foo/bar/123.png/more", "", False),
        (r"regex:http://cdni\.example/foo/bar/[0-9]{3}\.png", "/foo/bar/12x.png", "", False),
        (r"regex:https://cdni\.example/.*", "/foo", "", False),
        (SEGMENTS, "/folder/content/quality_9/segment001.mp4", "", True),
        (SEGMENTS, "/folder/content/quality_9/segment001.mp4", "a=b", True),
        (SEGMENTS, "/x/folder/content/quality_9/segment001.mp4", "", False),
        # A whole URI is matched, never a part of it, and a path alone only by a pattern that begins with one.
        ("regex:foo", "/foo/bar", "", False),
        ("regex:/foo/[a-z]+", "/foo/bar", "", True),
        ("regex:^/foo/[a-z]+$", "/foo/bar", "", True),
        ("regex:/foo/[a-z]+", "/foo/bar", "x=1", False),
        (r"regex:/foo/[a-z]+(\?.*)?", "/foo/bar", "x=1", True),
        (r"regex:[^:]*://[^/]*/foo/.*", "/a://b/foo/x", "", False),
        # Prefixes
        ("regex:/foo/.*", "/foo/bar", "x=1", True),
        ("regex:^/foo/.*$", "/foo/bar", "", True),
        ("regex:/foo/.*", "/foobar", "", False),
        ("regex:/foo/.*", "/FOO/bar", "", False),
        (prefix_container("/a.b+c/"), "/a.b+c/d", "", True),
        (prefix_container("/a.b+c/"), "/axb+c/d", "", False),
        ("regex:/a%20b/.*", "/a b/c", "", True),
        ("regex:/a%20b/[a-z]", "/a b/c", "", True),
        ("regex:/foo.*", "/foo", "", True),
        (r"regex:/foo/a\?.*", "/foo/a", "b", True),
    ],
)  # fmt: skip
def test_container_covers_uris_it_names(claim: str, path: str, query: str, covered: bool) -> None:
    assert read_container(claim).covers(path.encode(), query.encode(), ORIGIN) is covered


@pytest.mark.parametrize(
    "claim",
    [
        "", "foo", "regex", "regex:", "prefix:/foo", "hash:", "hash:sha-256;", "hash:sha-256;AAAA", "hash:md5;AAAA",
        "hash:sha-256;2tderfWPa86Ku7YnzW51YUp7dGUjBS_3SW3ELx4hmWZ",
        "hash:sha-256;2tderfWPa86Ku7YnzW51YUp7dGUjBS_3SW3ELx4hm+Y",
        "hash:sha-256;é", "regex:(", "regex:[", "regex:a{1,65}b", "regex:a{65}b", r"regex:(a)\1",
        "regex:(?=a)b", "regex:(?i)a", "regex:é",
        "regex:" + "a" * (PATTERN_BYTES_MAX + 1), "regex:((a{64}){64}){64}", r"regex:\d+",
    ],
)  # fmt: skip
def test_container_refuses_what_it_does_not_know(claim: str) -> None:
    with pytest.raises(ContainerError):
        read_container(claim)


@pytest.mark.parametrize(
    "pattern",
    [
        "/(x+x+)+y", "/(.*a){20}b", "/(.?){60}x{60}", "/(a|aa)+b", "/([ax]{1,60}){1,10}b", "/(.*.*.*.*.*.*.*.*)*z",
        "/(a*)*b", "/[^b]{60}b", "/(x|xx|xxx|xxxx)*y", "/" + ".*" * 200 + "q", "/(.*x.{0,60})q", "/(.*x.{60})q",
        "/(.*a.{0,64}){4}q",
        "/(((a?){20}){20})c", "/((.*)*)*q",
    ],
)  # fmt: skip
def test_container_answers_evil_patterns_in_bounded_time(pattern: str) -> None:
    """Each of them takes Python's own ``re`` seconds to centuries on one of these texts."""
    began = time.process_time()
    container = read_container("regex:" + pattern)
    read_s = time.process_time() - began
    longest_s = 0.0
    for text in (b"/" + b"x" * 1500, b"/" + b"a" * 1500, b"/" + b"ax" * 750):
        began = time.process_time()
        container.covers(text, b"", ORIGIN)
        longest_s = max(longest_s, time.process_time() - began)
    assert read_s < 0.1
    assert longest_s < 0.1


def test_container_refuses_uri_beyond_bound() -> None:
    container = read_container("regex:/[a-z/]*")
    room = URI_BYTES_MAX - len(ORIGIN)
    assert container.covers(b"/" + b"a" * (room - 1), b"", ORIGIN)
    assert not container.covers(b"/" + b"a" * room, b"", ORIGIN)


@given(st.text(alphabet="/abcXYZ019._~!$&'()*+,;=:@-[]{}|^\\?%", max_size=40))
def test_prefix_container_covers_what_begins_so_and_nothing_else(rest: str) -> None:
    container = read_container(prefix_container("/a(b)*.c/"))
    path = rest.encode()
    assert container.covers(path, b"", ORIGIN) is path.startswith(b"/a(b)*.c/")
    assert container.covers(b"/a(b)*.c/" + path, b"", ORIGIN)


@given(st.text(max_size=60))
def test_container_reads_any_claim_or_refuses_it(text: str) -> None:
    for claim in (text, "regex:" + text, "regex:/" + text, "hash:" + text, "hash:sha-256;" + text):
        try:
            container = read_container(claim)
        except ContainerError:
            continue
        assert container.covers(b"/x", b"", ORIGIN) in (True, False)


@given(st.from_regex(re.compile(r"/[a-z0-9./\[\]{}()*+?|^$-]{0,20}\.\*"), fullmatch=True))
def test_container_reads_literal_prefix_as_its_pattern_means_it(pattern: str) -> None:
    """The short cut for prefixes must grant what RE2 grants."""
    try:
        container = read_container("regex:" + pattern)
    except ContainerError:
        return
    if container.prefix is None:
        return
    slow = read_container(f"regex:/{'(' + pattern[1:] + ')'}")
    for path in (container.prefix, container.prefix + b"x", container.prefix[:-1], b"/q" + container.prefix):
        assert container.covers(path, b"", ORIGIN) is slow.covers(path, b"", ORIGIN), path


def test_normalised_escapes_what_rfc_3986_has_escaped() -> None:
    assert normalised(b"/a-b_c.d~e/f:g@h!$&'()*+,;=i") == b"/a-b_c.d~e/f:g@h!$&'()*+,;=i"
    assert normalised(b'/a b"<>\\^`{|}\xc3\xa9?#[]%') == b"/a%20b%22%3C%3E%5C%5E%60%7B%7C%7D%C3%A9%3F%23%5B%5D%25"
